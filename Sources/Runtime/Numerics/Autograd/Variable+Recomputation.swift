/// Calculations of which little is kept: they are done again, in the same way, when they are
/// differentiated.
///
/// Source: Chen et al., "Training deep nets with sublinear memory cost" (2016).
extension Variable {
  /// The results of a calculation on each index of the inputs' first axis, one after the other, of
  /// which only the inputs are kept.
  ///
  /// - Parameters:
  ///   - inputs: at least one, of one first extent, which is at least one.
  ///   - body: makes [1, ...] of an index and the inputs there, whose numbers it must not change.
  public static func each(
    of inputs: [Variable], _ body: @escaping (Int, [Variable]) -> Variable
  ) -> Variable {
    let (count, tape) = (inputs[0].shape[0], inputs[0].tape)
    let once = tape.map { Tape($0.dropout, isRecording: false) }
    let first = body(0, inputs.map { $0.entry(0, on: once) })
    let output = Tensor(uninitialised: [count] + first.shape.dropFirst())
    for index in 0..<count {
      let part = index == 0 ? first : body(index, inputs.map { $0.entry(index, on: once) })
      output.narrowed(0, index..<index + 1).copy(part.value)
    }
    guard let tape, tape.isRecording, first.gradient != nil else {
      return Variable(output, tape: tape)
    }
    let (result, dropout) = (Gradient(output.shape), tape.dropout)
    tape.record(result) { change in
      let parts = inputs.map { Tensor(repeating: 0, shape: $0.gradient == nil ? [0] : $0.shape) }
      for index in 0..<count {
        let inner = Tape(dropout: dropout)
        let entries = inputs.map { $0.entry(index, on: inner) }
        body(index, entries).gradient?.accumulate(change.narrowed(0, index..<index + 1))
        inner.runBackward()
        for (entry, part) in zip(entries, parts) {
          if let gradient = entry.gradient?.take() {
            part.narrowed(0, index..<index + 1).copy(gradient)
          }
        }
      }
      for (input, part) in zip(inputs, parts) { input.gradient?.accumulate(part) }
    }
    return Variable(output, gradient: result, tape: tape)
  }

  /// One index of the first axis with a gradient of its own.
  private func entry(_ index: Int, on tape: Tape?) -> Variable {
    let part = value.narrowed(0, index..<index + 1)
    return Variable(part, gradient: gradient.map { _ in Gradient(part.shape) }, tape: tape)
  }

  /// A residual connection, base + layer(inner), of whose making only the input is kept and what
  /// operations ask to keep; the input is given up.
  ///
  /// The layer is not done again, since differentiating it takes what goes into it alone.
  ///
  /// - Parameter body: makes base and inner of the input, whose numbers it may change where nothing
  ///   is recorded.
  public func residual(
    _ layer: Linear, of body: @escaping (Variable) -> (base: Variable, inner: Variable)
  ) -> Variable {
    guard let tape, tape.isRecording else {
      let parts = body(self)
      return layer(parts.inner, addedTo: parts.base)
    }
    let keepsakes = Keepsakes()
    let once = Tape(tape.dropout, isRecording: false, keepsakes: keepsakes)
    let parts = body(Variable(value.copied(), gradient: gradient, tape: once))
    let first = layer(parts.inner, addedTo: parts.base)
    guard first.gradient != nil else { return Variable(first.value, tape: tape) }
    let (input, result, dropout) = (self, Gradient(first.shape), tape.dropout)
    tape.record(result) { change in
      let again = body(input.on(Tape(dropout, isRecording: true, keepsakes: keepsakes)))
      layer.differentiate(change, at: again.inner)
      again.base.gradient?.accumulate(change)
      again.inner.tape?.runBackward()
    }
    return Variable(first.value, gradient: result, tape: tape)
  }
}
