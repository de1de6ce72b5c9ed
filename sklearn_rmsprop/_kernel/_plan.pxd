from libc.stdint cimport int64_t


cdef extern from "step.h" nogil:
    ctypedef struct StepPlan:
        const double *rate
        const double *decay_power
        const double *decay_product
        const double *inverse_decay_product
        const double *momentum_power
        const double *momentum_travel
        const double *weighted_travel
        double decay_limit
        double decay_gain
        double momentum
        double centered
        double epsilon
        double averaged
        double steps_before
        double forgotten

    ctypedef struct Step:
        const StepPlan *plan
        int64_t i
        double rate
        double decay
        double average_decay
        double correction
        double scale
        double most_steps_below

    enum:
        AVERAGING_ETA

    double average_weight(const StepPlan *plan, int64_t i)
    double most_steps_below_threshold(const StepPlan *plan, double t)


cdef class Plan:
    cdef StepPlan c
    cdef readonly Py_ssize_t n_steps
    cdef readonly bint lazy
    cdef object _owners
    cdef const double *_keep_alive(self, values) except NULL
    cdef void begin(self, Step *step) noexcept nogil
    cdef void advance(self, Step *step, double *decay_product) noexcept nogil
