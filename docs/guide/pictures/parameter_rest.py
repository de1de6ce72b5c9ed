"""fit_intercept, shuffle, warm_start and random_state: one panel each."""

from copy import deepcopy

import numpy as np
from loops import X as SIX_X
from loops import Y as SIX_Y
from loops import carat_price, follow
from style import BLUE, GREY, RED, panels

from sklearn_rmsprop import RMSpropRegressor

figure, axes = panels("fit_intercept, shuffle, warm_start, random_state", 2, 2, height=6.4)
line, order, start, seeds = axes.ravel()

line.plot(SIX_X, SIX_Y, "o", color="black")
for fit_intercept, color in ((True, BLUE), (False, RED)):
    model = RMSpropRegressor(batch_size=None, fit_intercept=fit_intercept).fit(SIX_X[:, np.newaxis], SIX_Y)
    line.plot([0, 60], model.predict([[0.0], [60.0]]), color=color, label=f"fit_intercept={fit_intercept}")
line.set(title="fit_intercept=False: a line through 0", xlabel="x", ylabel="y", ylim=(-2, 45))
line.legend()

carat, price, _ = carat_price()
by_price = np.argsort(price)
for shuffle, color in ((True, BLUE), (False, RED)):
    excess = follow(RMSpropRegressor(shuffle=shuffle, random_state=0), carat[by_price, np.newaxis], price[by_price], 20)
    order.semilogy(range(1, 21), excess, color=color, label=f"shuffle={shuffle}")
order.set(title="rows sorted by the target: shuffle them", xlabel="epochs", ylabel="excess loss")
order.legend()

# A model of all other diamonds is fitted to 500 new ones.
rows = np.random.default_rng(0).permutation(len(price))
old, new = rows[:-500], rows[-500:]
for warm_start, color in ((True, BLUE), (False, RED)):
    fitted = RMSpropRegressor(learning_rate=0.01, warm_start=warm_start, random_state=0)
    fitted.fit(carat[old, np.newaxis], price[old])
    slopes = []
    for n_epochs in range(1, 21):
        model = deepcopy(fitted).set_params(max_iter=n_epochs, tol=None)
        slopes.append(model.fit(carat[new, np.newaxis], price[new]).coef_[0])
    start.plot(range(1, 21), slopes, color=color, label=f"warm_start={warm_start}")
start.axhline(fitted.coef_[0], color=GREY, linestyle=":", linewidth=1.2, label="the first fit")
start.set(title="warm_start=True starts from the last fit", xlabel="epochs of the second fit", ylabel="slope")
start.legend(loc="center right")

for average, color in ((True, BLUE), (False, RED)):
    models = [RMSpropRegressor(average=average, tol=None, max_iter=10, random_state=seed) for seed in range(30)]
    slopes = [model.fit(carat[:, np.newaxis], price).coef_[0] for model in models]
    seeds.plot(slopes, "o", color=color, markersize=4, label=f"average={average}")
seeds.set(title="the seed hardly changes the average", xlabel="random_state", ylabel="slope")
seeds.legend()
