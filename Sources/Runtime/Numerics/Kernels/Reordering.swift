import COneDNN

/// The same numbers in another order, by oneDNN on the calling thread.
struct Reordering {
  private let from: dnnl_memory_desc_t
  private let to: dnnl_memory_desc_t

  init(from: dnnl_memory_desc_t, to: dnnl_memory_desc_t) {
    self.from = from
    self.to = to
  }

  func run(_ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer) {
    omp_set_num_threads(1)
    let primitive = primitive()
    let memories = [
      // oneDNN takes pointers to memory that it does not change without const.
      (DNNL_ARG_FROM, memory(from, UnsafeMutableRawPointer(mutating: source))),
      (DNNL_ARG_TO, memory(to, target)),
    ]
    let arguments = memories.map { dnnl_exec_arg_t(arg: Int32($0.0), memory: $0.1) }
    var stream: dnnl_stream_t?
    check(dnnl_stream_create(&stream, MatmulPrimitive.engine, dnnl_stream_default_flags.rawValue))
    check(dnnl_primitive_execute(primitive, stream, Int32(arguments.count), arguments))
    check(dnnl_stream_wait(stream))
    dnnl_stream_destroy(stream)
    for argument in arguments { dnnl_memory_destroy(argument.memory) }
    dnnl_primitive_destroy(primitive)
  }

  private func primitive() -> dnnl_primitive_t {
    var (from, to) = (from, to)
    var descriptor: dnnl_primitive_desc_t?
    let engine = MatmulPrimitive.engine
    check(dnnl_reorder_primitive_desc_create(&descriptor, &from, engine, &to, engine, nil))
    defer { dnnl_primitive_desc_destroy(descriptor) }
    var primitive: dnnl_primitive_t?
    check(dnnl_primitive_create(&primitive, descriptor))
    return required(primitive)
  }

  private func memory(
    _ layout: dnnl_memory_desc_t, _ address: UnsafeMutableRawPointer
  ) -> dnnl_memory_t? {
    var (memory, layout) = (dnnl_memory_t?.none, layout)
    check(dnnl_memory_create(&memory, &layout, MatmulPrimitive.engine, address))
    return memory
  }
}
