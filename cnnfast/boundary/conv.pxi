# Convolution: csrc/ops/conv.h.

FORWARD = CF_FORWARD
BACKWARD_DATA = CF_BACKWARD_DATA
BACKWARD_WEIGHTS = CF_BACKWARD_WEIGHTS
ALGORITHMS = {"auto": CF_AUTO, "direct": CF_DIRECT, "winograd": CF_WINOGRAD}

cdef tuple _PASSES = ("forward", "backward_data", "backward_weights")


cdef cf_conv_desc conv_desc(geometry, bint double, bint channels_last) except *:
    cdef cf_conv_desc d
    cdef int lead = 3 - len(geometry.kernel)
    d.dtype = CF_F64 if double else CF_F32
    d.n, d.groups = geometry.n, geometry.groups
    d.ic, d.oc = geometry.in_channels, geometry.out_channels
    d.channels_last = channels_last
    for axis in range(3):
        at = axis - lead
        d.in_[axis] = geometry.input[at] if at >= 0 else 1
        d.out[axis] = geometry.output[at] if at >= 0 else 1
        d.kernel[axis] = geometry.kernel[at] if at >= 0 else 1
        d.stride[axis] = geometry.stride[at] if at >= 0 else 1
        d.dil[axis] = geometry.dilation[at] if at >= 0 else 1
        d.pad[axis] = geometry.pad_lo[at] if at >= 0 else 0
    return d


cdef dict winograd_info(const cf_winograd_plan *w):
    """Pieces: of each transformed axis the outputs and taps of a tile, as in the usual F(m, r)."""
    pieces = [f"F({w.axis[i].m},{w.axis[i].r})" for i in range(3) if w.axis[i].n > 1]
    return {
        "pieces": " x ".join(pieces), "sources": w.sources, "phases": w.phases, "tasks": w.batches,
        "tile": f"{w.mr}x{w.nv}", "lanes": "source" if w.keep_source else "filters", "block": w.batch_tiles,
        "source_bytes": w.u_at - w.v_at, "thread_bytes": w.thread_bytes - w.filter_bytes,
    }


cdef str with_pieces(dict info):
    """The algorithm of a plan, and its pieces if it has some."""
    return " ".join([info[name] for name in ("algorithm", "pieces") if name in info])


cdef dict conv_info(const cf_conv_plan *plan):
    """What a plan chose."""
    cdef const cf_correlate_plan *c = &plan.correlate
    cdef const cf_weights_plan *w = &plan.weights
    cdef const cf_points_plan *p = &plan.points
    cdef const cf_depthwise_plan *s = &plan.depthwise
    cdef const cf_gemm_plan *g = &plan.product.gemm
    info = {
        "pass": _PASSES[<int>plan.pass_],
        "algorithm": "winograd" if plan.by_winograd else "direct",
        "isa": isa_name(plan.options.isa),
        "threads": plan.options.threads,
        "workspace": plan.workspace_bytes,
    }
    if plan.is_depthwise:
        info.update(algorithm="depthwise", lanes="source" if s.in_place else "slab", tile="strips",
                    folded=bool(s.folded), units=s.units, parts=s.parts,
                    block=(s.slab.block[0], s.slab.block[1], s.slab.block[2]))
        return info
    if plan.by_winograd:
        return info | winograd_info(&plan.winograd)
    if plan.is_product:
        rows, nv, panels = g.desc.m, g.dots or g.nv, g.panels
        info["lanes"] = "terms" if g.dots else "columns"
    elif plan.lanes_are_points:
        rows, nv, panels = p.rows, p.nv, p.panels
        info.update(lanes="points", units=p.units, parts=p.parts)
    elif plan.pass_ == CF_BACKWARD_WEIGHTS:
        rows, nv, panels = w.rows, w.nv, w.panels
        info.update(lanes="channels x taps" if w.flat else "channels", chunks=w.chunks, parts=w.parts)
    else:
        rows, nv, panels = c.rows, c.nv, c.panels
        source = "source" if c.straight else "slab"
        info.update(lanes=source, direct=bool(c.direct), by_rows=bool(c.by_rows), tasks=c.units,
                    images=c.slab.images, passes=c.passes, splits=c.splits,
                    block=(c.slab.block[0], c.slab.block[1], c.slab.block[2]))
    info["tile"] = f"{-(-rows // max(panels, 1))}x{nv}"
    return info


cdef class ConvPlan(Plan):
    """One pass of a convolution problem.

    `geometry` has n, groups, in_channels, out_channels and the tuples input, output, kernel, stride, dilation, pad_lo,
    all as the convolution (not its adjoint) sees them, one entry a spatial axis.  Weights never have channels last.
    """
    cdef cf_conv_plan plan
    cdef object geometry
    cdef double low, high               # of results

    def __init__(
        self, int which, geometry, int isa, int threads, bint double, bint exact, shape=None, int algorithm=CF_AUTO,
        tuple clamp=(-INFINITY, INFINITY), bint prepared=False, bint channels_last=False,
    ):
        cdef cf_conv_desc d = conv_desc(geometry, double, channels_last)
        cdef cf_options options = options_of(isa, threads, exact)
        check(cf_conv_plan_init(&self.plan, <cf_conv_pass>which, &d, <cf_algorithm>algorithm, prepared,
                                &options))
        self.geometry, self.shape = geometry, shape
        self.low, self.high = clamp

    def prepare(self, cnp.ndarray weight):
        """What a plan with prepared weights takes in the place of `weight`: an array of its dtype."""
        cdef Workspace workspace = take_workspace(self.plan.workspace_bytes)
        cdef cnp.ndarray result = new_array((self.plan.prepared_bytes // weight.itemsize,), cnp.PyArray_TYPE(weight))
        cdef void *w = data_of(weight)
        cdef void *y = data_of(result)
        with nogil:
            cf_conv_prepare(&self.plan, w, y, workspace.data())
        give_back(workspace)
        return result

    cdef object run(self, tuple arrays, object out):
        """Forward of (input, weight, bias, norm, residual), backward-data of the same for a grad_output,
        backward-weights of (input, grad_output); what comes after weight may be missing."""
        cdef Call call = begin_with(self.plan.options)
        cdef Workspace workspace = take_workspace(self.plan.workspace_bytes)
        cdef cnp.ndarray result = new_array(self.shape, cnp.PyArray_TYPE(arrays[0])) if out is None else out
        cdef void *a = data_of(arrays[0])
        cdef void *b = data_of(arrays[1])
        cdef void *c = data_of(arrays[2]) if len(arrays) > 2 else NULL
        cdef void *y = data_of(result)
        cdef cf_epilogue epilogue
        cdef const cf_epilogue *after = NULL
        if len(arrays) > 3:
            epilogue.norm, epilogue.residual = data_of(arrays[3]), data_of(arrays[4])
            epilogue.low, epilogue.high = self.low, self.high
            after = &epilogue
        with nogil:
            if self.plan.pass_ == CF_FORWARD:
                cf_conv_forward(&self.plan, a, b, c, after, y, workspace.data())
            elif self.plan.pass_ == CF_BACKWARD_DATA:
                cf_conv_backward_data(&self.plan, a, b, c, after, y, workspace.data())
            else:
                cf_conv_backward_weights(&self.plan, a, b, y, workspace.data())
        give_back(workspace)
        if call.start >= 0:
            sys.stderr.write(f"cnnfast: {self}{self.after(arrays)}, {(perf_counter() - call.start) * 1e3:.3f} ms\n")
        return result

    cdef str after(self, tuple arrays):
        """What a line says of the epilogue."""
        texts = ", normalised", " plus an array"
        parts = [text for text, array in zip(texts, arrays[3:]) if array is not None]
        return "".join([*parts, clamp_text(self.low, self.high)])

    def info(self):
        """What the plan chose, for tests and reports."""
        return conv_info(&self.plan)

    def __str__(self):
        info = self.info()
        return (f"{self.geometry} {info['pass']}, {with_pieces(info)}, tile {info['tile']} "
                f"{info['isa']}, lanes {info['lanes']}, {info['threads']} threads, workspace {info['workspace']} B")


cdef class Prepared(Plan):
    """A plan whose weight, the second of its arrays, is given, and prepared."""
    cdef ConvPlan plan
    cdef readonly cnp.ndarray weight

    def __init__(self, ConvPlan plan, cnp.ndarray weight):
        self.plan, self.shape, self.weight = plan, plan.shape, plan.prepare(weight)

    cdef object run(self, tuple arrays, object out):
        return self.plan.run((arrays[0], self.weight, *arrays[1:]), out)


cdef class BiasPlan(Plan):
    """Sums of a grad_output of this shape, (n, channels, ...) or without n, over all axes but the channels."""
    cdef cf_options options
    cdef int64_t n, channels, points

    def __init__(self, tuple grad_output, int rank, int isa, int threads, bint double, bint exact):
        self.options = options_of(isa, threads, exact)
        self.shape = grad_output[-rank - 1:-rank]
        self.n, self.channels = prod(grad_output[:-rank - 1]), self.shape[0]
        self.points = prod(grad_output[-rank:])

    cdef object run(self, tuple arrays, object out):
        cdef Call call = begin_with(self.options)
        cdef cnp.ndarray grad_output = arrays[0]
        cdef cnp.ndarray result = new_array(self.shape, cnp.PyArray_TYPE(grad_output)) if out is None else out
        cdef cf_dtype dtype = dtype_of(grad_output)
        cdef void *dy = data_of(grad_output)
        cdef void *db = data_of(result)
        with nogil:
            cf_conv_backward_bias(dtype, &self.options, self.n, self.channels, self.points, dy, db)
        if call.start >= 0:
            report(call, f"conv_backward_bias n{self.n}c{self.channels}x{self.points}", call.options.threads, 0)
        return result
