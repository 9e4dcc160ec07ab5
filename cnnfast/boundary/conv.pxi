# Convolution: csrc/ops/conv.h.

FORWARD = CF_FORWARD
BACKWARD_DATA = CF_BACKWARD_DATA
BACKWARD_WEIGHTS = CF_BACKWARD_WEIGHTS

cdef tuple _PASSES = ("forward", "backward_data", "backward_weights")


cdef class ConvPlan:
    """How one pass of a convolution problem runs: a plain value, made once, used by any number of calls at once.

    `geometry` has n, groups, in_channels, out_channels and the tuples input, output, kernel, stride, dilation, pad_lo,
    all as the convolution (not its adjoint) sees them, with one entry a spatial axis.
    """
    cdef cf_conv_plan plan
    cdef object geometry

    def __init__(self, int which, geometry, int isa, int threads, bint double):
        cdef cf_conv_desc d
        cdef cf_options options
        cdef int lead = 3 - len(geometry.kernel)
        options.isa = <cf_isa>isa
        options.threads = threads
        d.dtype = CF_F64 if double else CF_F32
        d.n, d.groups = geometry.n, geometry.groups
        d.ic, d.oc = geometry.in_channels, geometry.out_channels
        for axis in range(3):
            at = axis - lead
            d.in_[axis] = geometry.input[at] if at >= 0 else 1
            d.out[axis] = geometry.output[at] if at >= 0 else 1
            d.kernel[axis] = geometry.kernel[at] if at >= 0 else 1
            d.stride[axis] = geometry.stride[at] if at >= 0 else 1
            d.dil[axis] = geometry.dilation[at] if at >= 0 else 1
            d.pad[axis] = geometry.pad_lo[at] if at >= 0 else 0
        check(cf_conv_plan_init(&self.plan, <cf_conv_pass>which, &d, &options))
        self.geometry = geometry

    def info(self):
        """What the plan chose, for tests and reports."""
        cdef cf_correlate_plan *c = &self.plan.correlate
        cdef cf_weights_plan *w = &self.plan.weights
        cdef cf_points_plan *p = &self.plan.points
        info = {
            "pass": _PASSES[<int>self.plan.pass_],
            "isa": isa_name(self.plan.options.isa),
            "threads": self.plan.options.threads,
            "workspace": self.plan.workspace_bytes,
        }
        if self.plan.lanes_are_points:
            rows, nv, panels = p.rows, p.nv, p.panels
            info.update(lanes="points", units=p.units, parts=p.parts)
        elif self.plan.pass_ == CF_BACKWARD_WEIGHTS:
            rows, nv, panels = w.rows, w.nv, w.panels
            info.update(lanes="channels x taps" if w.flat else "channels", chunks=w.chunks, parts=w.parts)
        else:
            rows, nv, panels = c.rows, c.nv, c.panels
            source = "source" if c.straight else "slab"
            info.update(lanes=source, direct=bool(c.direct), tasks=c.units, images=c.slab.images, passes=c.passes,
                        splits=c.splits, block=(c.slab.block[0], c.slab.block[1], c.slab.block[2]))
        info["tile"] = f"{-(-rows // max(panels, 1))}x{nv}"
        return info

    def __str__(self):
        info = self.info()
        return (f"{self.geometry} {info['pass']}, direct, tile {info['tile']} {info['isa']}, lanes {info['lanes']}, "
                f"{info['threads']} threads, workspace {info['workspace']} B")


cdef void report_conv(ConvPlan plan, double start) except *:
    sys.stderr.write(f"cnnfast: {plan}, {(perf_counter() - start) * 1e3:.3f} ms\n")


def conv(ConvPlan plan, cnp.ndarray first, cnp.ndarray second, cnp.ndarray bias, cnp.ndarray out, bint verbose):
    """One pass: forward (input, weight), backward-data (grad_output, weight), backward-weights (input, grad_output)."""
    cdef double start = perf_counter() if verbose else 0.0
    cdef Workspace workspace = take_workspace(plan.plan.workspace_bytes)
    cdef void *a = data_of(first)
    cdef void *b = data_of(second)
    cdef void *c = data_of(bias)
    cdef void *y = data_of(out)
    with nogil:
        if plan.plan.pass_ == CF_FORWARD:
            cf_conv_forward(&plan.plan, a, b, c, y, workspace.data())
        elif plan.plan.pass_ == CF_BACKWARD_DATA:
            cf_conv_backward_data(&plan.plan, a, b, c, y, workspace.data())
        else:
            cf_conv_backward_weights(&plan.plan, a, b, y, workspace.data())
    give_back(workspace)
    if verbose:
        report_conv(plan, start)


def conv_backward_bias(tuple how, cnp.ndarray grad_output, cnp.ndarray out):
    """Sum of grad_output (n, channels, ...) over all axes but the channels."""
    cdef Call call = begin(how)
    cdef int64_t n = grad_output.shape[0], channels = grad_output.shape[1], points = 1
    cdef int axis
    for axis in range(2, grad_output.ndim):
        points *= grad_output.shape[axis]
    cdef cf_dtype dtype = dtype_of(grad_output)
    cdef void *dy = data_of(grad_output)
    cdef void *db = data_of(out)
    cdef cf_status status
    with nogil:
        status = cf_conv_backward_bias(dtype, &call.options, n, channels, points, dy, db)
    check(status)
    if call.start >= 0:
        report(call, f"conv_backward_bias n{n}c{channels}x{points}", call.options.threads, 0)
