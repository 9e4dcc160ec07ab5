# Matrix product: csrc/ops/gemm.h.


cdef class GemmPlan(Plan):
    """(m, n) = clamp(op(a) op(b) + bias), where op transposes a packed matrix if asked.

    bias has n elements or is missing.
    """
    cdef cf_gemm_plan plan

    def __init__(
        self, tuple shape, int64_t m, int64_t n, int64_t k, int isa, int threads, bint double, bint exact,
        bint transpose_a=False, bint transpose_b=False, tuple clamp=(-INFINITY, INFINITY),
    ):
        cdef cf_options options = options_of(isa, threads, exact)
        cdef cf_gemm_desc d
        d.dtype = CF_F64 if double else CF_F32
        d.m, d.n, d.k = m, n, k
        d.a_rs, d.a_cs = 1 if transpose_a else k, m if transpose_a else 1
        d.b_rs, d.b_cs = 1 if transpose_b else n, k if transpose_b else 1
        d.low, d.high = clamp
        check(cf_gemm_plan_init(&self.plan, &d, &options))
        self.shape = shape

    cdef object run(self, tuple arrays, object out):
        """Of (a, b, bias); bias may be missing."""
        cdef Call call = begin_with(self.plan.options)
        cdef Workspace workspace = take_workspace(self.plan.workspace_bytes)
        cdef cnp.ndarray result = new_array(self.shape, cnp.PyArray_TYPE(arrays[0])) if out is None else out
        cdef void *a = data_of(arrays[0])
        cdef void *b = data_of(arrays[1])
        cdef void *c = data_of(arrays[2]) if len(arrays) > 2 else NULL
        cdef void *y = data_of(result)
        with nogil:
            cf_gemm(&self.plan, a, b, c, y, workspace.data())
        give_back(workspace)
        if call.start >= 0:
            d = self.plan.desc
            text = f"gemm m{d.m}n{d.n}k{d.k}{clamp_text(d.low, d.high)}"
            report(call, text, call.options.threads, self.plan.workspace_bytes)
        return result
