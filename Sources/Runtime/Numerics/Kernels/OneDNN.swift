import COneDNN

/// What every use of oneDNN needs.
enum OneDNN {
  /// The processor; oneDNN's engines are constant.
  nonisolated(unsafe) static let engine: dnnl_engine_t = {
    var engine: dnnl_engine_t?
    check(dnnl_engine_create(&engine, dnnl_cpu, 0))
    return required(engine)
  }()

  /// What a primitive reads or writes.
  struct Operand {
    /// As oneDNN numbers them.
    let argument: Int32
    let layout: dnnl_memory_desc_t
    let address: UnsafeMutableRawPointer
  }

  /// Runs on the calling thread.
  static func execute(_ primitive: dnnl_primitive_t, _ operands: [Operand]) {
    omp_set_num_threads(1)
    let arguments = operands.map { operand in
      var (memory, layout) = (dnnl_memory_t?.none, operand.layout)
      check(dnnl_memory_create(&memory, &layout, engine, operand.address))
      return dnnl_exec_arg_t(arg: operand.argument, memory: memory)
    }
    var stream: dnnl_stream_t?
    check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue))
    check(dnnl_primitive_execute(primitive, stream, Int32(arguments.count), arguments))
    check(dnnl_stream_wait(stream))
    dnnl_stream_destroy(stream)
    for argument in arguments { dnnl_memory_destroy(argument.memory) }
  }
}

/// Extents are checked before oneDNN sees them, so whatever it refuses is a bug or no memory left.
func check(_ status: dnnl_status_t, line: UInt = #line) {
  precondition(status == dnnl_success, "oneDNN: status \(status.rawValue) in line \(line)")
}

func required<Handle>(_ handle: Handle?) -> Handle {
  guard let handle else { preconditionFailure("oneDNN made nothing") }
  return handle
}
