import Support

/// An argument as it may be typed: what a shell would split or change stands in quotes.
struct ShellWord {
  let text: String

  init(_ argument: String) {
    let isPlain = argument.allSatisfy { character in
      character.isASCII
        && (character.isLetter || character.isNumber || "-_./=,+:".contains(character))
    }
    let quoted = "'" + argument.replacing("'", with: "'\\''") + "'"
    text = (isPlain && !argument.isEmpty ? argument : quoted).escapedForDisplay
  }
}
