/// The percentile of ascending numbers, interpolated linearly between the two nearest.
///
/// Source: `numpy.percentile` with its default method.
func percentile(_ percent: Double, ofSorted numbers: [Double]) -> Double {
  precondition(!numbers.isEmpty)
  let position = percent / 100 * Double(numbers.count - 1)
  let lower = min(Int(position), numbers.count - 1)
  let upper = min(lower + 1, numbers.count - 1)
  return numbers[lower] + (numbers[upper] - numbers[lower]) * (position - Double(lower))
}
