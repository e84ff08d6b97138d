package ingest

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

const (
	// maxRegexLength is the longest regular expression, in bytes.
	maxRegexLength = 1024
	// maxRegexSize is the maximum size of a compiled expression, in estimated RE2 instructions. Sidecars reject more
	// than 1,000; the difference allows for errors of the estimate.
	maxRegexSize = 850
)

// CheckRegex returns why sidecars cannot use a regular expression.
func CheckRegex(expression string) error {
	if len(expression) > maxRegexLength {
		return fmt.Errorf("it has %d characters: use at most %d, or several matches", len(expression), maxRegexLength)
	}
	if i := strings.IndexFunc(expression, func(r rune) bool { return r > 127 || r == 0 }); i >= 0 {
		// Envoy matches bytes, so a multi-byte character inside brackets would match its single bytes.
		return fmt.Errorf("it has a character that is not ASCII after %.60q: paths and headers carry such characters percent-encoded", expression[:i])
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return fmt.Errorf("it is not a regular expression of RE2: %s", describeSyntax(err))
	}
	if escaped := findWideEscape(expression); escaped != "" {
		return fmt.Errorf("it has %s, which is more than one byte: write \\x00 to \\xff", escaped)
	}
	if size := regexSize(expression, parsed); size > maxRegexSize {
		return fmt.Errorf("it compiles to about %d instructions: use at most %d, with fewer or smaller repetitions, or several matches", size, maxRegexSize)
	}
	return nil
}

// describeSyntax describes a syntax error with the beginning of the expression.
func describeSyntax(err error) string {
	var wrong *syntax.Error
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s: `%.60s`", wrong.Code, wrong.Expr)
	}
	return err.Error()
}

// codeEscape matches escapes from left to right. The groups contain the hexadecimal or octal number of a character.
var codeEscape = regexp.MustCompile(`\\(?:x\{([0-9A-Fa-f]+)\}|([0-7]{2,3})|.)`)

// findWideEscape returns the first escape of a character above 255, which Envoy's RE2 rejects because it works on
// bytes.
func findWideEscape(expression string) string {
	for _, found := range codeEscape.FindAllStringSubmatch(expression, -1) {
		// An empty group is 0, and a number that is too large is the largest one.
		hexadecimal, _ := strconv.ParseUint(found[1], 16, 64)
		octal, _ := strconv.ParseUint(found[2], 8, 64)
		if hexadecimal > 0xff || octal > 0xff {
			return found[0]
		}
	}
	return ""
}

// regexSize estimates the size of the program that RE2 compiles from an expression, rather too large than too small.
// It walks the syntax tree without expanding repetitions, so its own cost is small for every expression.
func regexSize(expression string, parsed *syntax.Regexp) int {
	// Each program also has an unanchored prefix, a match and a failure instruction.
	size := 4 + nodeSize(parsed)
	if strings.Contains(expression, "|") {
		// Go's parser merges single-character alternatives, RE2 does not.
		size *= 2
	}
	return size
}

func nodeSize(re *syntax.Regexp) int {
	sum := 0
	for _, sub := range re.Sub {
		sum += nodeSize(sub)
	}
	switch re.Op {
	case syntax.OpLiteral:
		return len(re.Rune)
	case syntax.OpCharClass:
		return classSize(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpBeginText, syntax.OpEndText:
		return 2
	case syntax.OpCapture:
		return sum + 2
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest:
		return sum + 2
	case syntax.OpAlternate:
		return sum + len(re.Sub)
	case syntax.OpRepeat:
		return repeatSize(sum, re.Min, re.Max)
	case syntax.OpConcat:
		return sum
	}
	return 1
}

// classSize counts the ranges of a character class within one byte: RE2 has one instruction for each.
func classSize(ranges []rune) int {
	size := 0
	for i := 0; i < len(ranges) && ranges[i] <= 0xff; i += 2 {
		size++
	}
	return max(size, 1)
}

// repeatSize is the size of an expression repeated from minimum to maximum times; -1 means no maximum.
func repeatSize(one, minimum, maximum int) int {
	if maximum < 0 {
		return max(minimum, 1)*one + 2
	}
	return minimum*one + (maximum-minimum)*(one+1)
}
