import Support

extension Kernels {
  /// A convolution over the slices of each stack, kernel 3 × 1 × 1, zeros beyond the ends.
  ///
  /// Three products, each of a slice with one tap, summed where they belong.
  ///
  /// - Parameters:
  ///   - input: [stacks·slices·tokens, channels in]
  ///   - taps: for the slice before, the slice itself and the one after, [channels out, channels in].
  ///   - output: [stacks·slices·tokens, channels out]
  public static func depthConvolution(
    _ input: MatrixView, taps: [WeightView], bias: MatrixView, slices: Int, tokens: Int,
    into output: MatrixView, activation: Activation = .none
  ) {
    precondition(taps.count == 3 && input.rows == output.rows)
    precondition(input.rows % (slices * tokens) == 0)
    let panels = (tokens + panelRows - 1) / panelRows
    let taps = taps.map { PreparedWeight($0) }
    parallelFor(count: input.rows / tokens * panels) { index in
      let (image, range) = (index / panels, panel(index % panels, of: panelRows, in: tokens))
      let slice = image % slices
      let steps = [0, -1, 1].filter { (0..<slices).contains(slice + $0) }
      let target = output.rows(
        image * tokens + range.lowerBound..<image * tokens
          + range.upperBound)
      for step in steps {
        let start = (image + step) * tokens
        linearPanel(
          input.rows(start + range.lowerBound..<start + range.upperBound), taps[step + 1].view,
          bias: step == 0 ? UnsafePointer(bias.base) : nil, into: target, accumulates: step != 0,
          activation: step == steps.last ? activation : .none)
      }
    }
    withExtendedLifetime(taps) {}
  }

  /// The k × k neighbourhoods of one row of an image, beside one another, zeros beyond the edges.
  ///
  /// - Parameters:
  ///   - image: [height·width, channels]
  ///   - output: [width, k·k·channels]
  static func neighbourhoods(
    of image: MatrixView, height: Int, width: Int, row y: Int, kernel: Int, into output: MatrixView
  ) {
    let (channels, reach) = (image.columns, kernel / 2)
    for x in 0..<width {
      for tap in 0..<kernel * kernel {
        let (sourceY, sourceX) = (y + tap / kernel - reach, x + tap % kernel - reach)
        let target = output.row(x) + tap * channels
        if (0..<height).contains(sourceY), (0..<width).contains(sourceX) {
          target.update(from: image.row(sourceY * width + sourceX), count: channels)
        } else {
          target.update(repeating: 0, count: channels)
        }
      }
    }
  }

  /// A convolution of odd kernel size, padded so that the extents stay.
  ///
  /// - Parameters:
  ///   - input: [images·height·width, channels in]
  ///   - weight: [channels out, k·k·channels in]
  public static func convolution(
    _ input: MatrixView, _ weight: WeightView, bias: UnsafePointer<Float>?, height: Int,
    width: Int, kernel: Int, into output: MatrixView
  ) {
    let pixels = height * width
    let bias = bias.map {
      MatrixView(UnsafeMutablePointer(mutating: $0), rows: 1, columns: 0, stride: 0)
    }
    // A fixed number of image rows a piece, about as many pixels as a panel has rows.
    let grain = max(1, panelRows / max(1, width))
    let pieces = (height + grain - 1) / grain
    let weight = PreparedWeight(weight)
    parallelFor(count: input.rows / max(1, pixels) * pieces) { index in
      let (image, rows) = (index / pieces, panel(index % pieces, of: grain, in: height))
      let source = input.rows(image * pixels..<(image + 1) * pixels)
      let patches = Tensor(
        uninitialised: [rows.count * width, kernel * kernel * input.columns])
      for (place, y) in rows.enumerated() {
        neighbourhoods(
          of: source, height: height, width: width, row: y, kernel: kernel,
          into: patches.matrix.rows(place * width..<(place + 1) * width))
      }
      let start = image * pixels + rows.lowerBound * width
      linearPanel(
        patches.matrix, weight.view, bias: bias.map { UnsafePointer($0.base) },
        into: output.rows(start..<start + rows.count * width))
      withExtendedLifetime(patches) {}
    }
    withExtendedLifetime(weight) {}
  }

  /// Adds the gradient of a convolution's weight, [channels out, k·k·channels in].
  static func convolutionWeightGradient(
    _ gradient: MatrixView, _ input: MatrixView, height: Int, width: Int, kernel: Int,
    into output: MatrixView
  ) {
    let pixels = height * width
    // About as many pixels at once as keep a few threads busy.
    let grain = max(1, 16 * panelRows / max(1, width))
    for image in 0..<input.rows / max(1, pixels) {
      let source = input.rows(image * pixels..<(image + 1) * pixels)
      for start in stride(from: 0, to: height, by: grain) {
        let rows = start..<min(height, start + grain)
        let patches = Tensor(uninitialised: [rows.count * width, output.columns])
        let target = patches.matrix
        parallelFor(count: rows.count) { place in
          neighbourhoods(
            of: source, height: height, width: width, row: start + place, kernel: kernel,
            into: target.rows(place * width..<(place + 1) * width))
        }
        let first = image * pixels + start * width
        weightGradient(
          gradient.rows(first..<first + rows.count * width), target, into: output,
          accumulates: true)
        withExtendedLifetime(patches) {}
      }
    }
  }

  /// A transposed convolution of kernel and stride 2, which doubles both extents.
  ///
  /// The two output rows of an input row are a matrix product each: a pixel gives two neighbours.
  ///
  /// - Parameters:
  ///   - input: [images·height·width, channels in]
  ///   - halves: for the upper and the lower row, [2·channels out, channels in].
  ///   - bias: twice, [2·channels out].
  ///   - output: [images·2·height·2·width, channels out]
  public static func transposedConvolution(
    _ input: MatrixView, halves: [WeightView], bias: MatrixView, height: Int, width: Int,
    into output: MatrixView
  ) {
    precondition(output.rows == 4 * input.rows && output.stride == output.columns)
    let pair = 2 * output.columns
    let halves = halves.map { PreparedWeight($0) }
    parallelFor(count: width > 0 ? input.rows / width : 0, grain: max(1, panelRows / max(1, width)))
    {
      row in
      let source = input.rows(row * width..<(row + 1) * width)
      for (half, weight) in halves.enumerated() {
        // Row y of an image becomes rows 2y and 2y + 1 of one twice as wide.
        let target = MatrixView(
          output.row((2 * row + half) * 2 * width), rows: width, columns: pair, stride: pair)
        linearPanel(source, weight.view, bias: bias.base, into: target)
      }
    }
    withExtendedLifetime(halves) {}
  }
}
