package ingest

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"strings"
)

const (
	// maxRegexLength is the longest regular expression, in bytes.
	maxRegexLength = 1024
	// maxRegexSize is the largest compiled expression, in estimated instructions of RE2. Sidecars refuse more than 1,000;
	// the rest is for expressions that RE2 unfolds more than the estimate knows.
	maxRegexSize = 850
)

// checkRegex says why a regular expression cannot be used in a sidecar.
func checkRegex(expression string) error {
	if len(expression) > maxRegexLength {
		return fmt.Errorf("it has %d characters: use at most %d, or several matches", len(expression), maxRegexLength)
	}
	if i := strings.IndexFunc(expression, func(r rune) bool { return r > 127 || r == 0 }); i >= 0 {
		// Envoy compares bytes, so a character of several bytes means something else inside brackets than it seems.
		return fmt.Errorf("it has a character that is not ASCII after %q: paths and headers carry such characters percent-encoded", expression[:i])
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return fmt.Errorf("it is not a regular expression of RE2: %w", err)
	}
	if escaped := beyondByte(expression); escaped != "" {
		return fmt.Errorf("it has %s, which is more than one byte: write \\x00 to \\xff", escaped)
	}
	if size := regexSize(expression, parsed); size > maxRegexSize {
		return fmt.Errorf("it compiles to about %d instructions: use at most %d, with fewer or smaller repetitions, or several matches", size, maxRegexSize)
	}
	return nil
}

// codeEscape finds escapes in the order they are read; those that give a character by its number, in hexadecimal or octal
// digits, have it in a group.
var codeEscape = regexp.MustCompile(`\\(?:x\{([0-9A-Fa-f]+)\}|([0-7]{2,3})|.)`)

// beyondByte is the first escape of a character above 255. Envoy's RE2 works on bytes and refuses it.
func beyondByte(expression string) string {
	for _, found := range codeEscape.FindAllStringSubmatch(expression, -1) {
		hexadecimal, errHex := strconv.ParseUint(found[1], 16, 64)
		octal, errOct := strconv.ParseUint(found[2], 8, 64)
		if (found[1] != "" && (errHex != nil || hexadecimal > 0xff)) || (found[2] != "" && (errOct != nil || octal > 0xff)) {
			return found[0]
		}
	}
	return ""
}

// regexSize estimates the size of the program that Envoy's RE2 makes of an expression, and errs on the large side. It walks the tree and
// expands nothing, so that its own cost stays small whatever the expression.
func regexSize(expression string, parsed *syntax.Regexp) int {
	// RE2 adds an unanchored prefix, a match and a failure to each program.
	size := 4 + nodeSize(parsed)
	if strings.Contains(expression, "|") {
		// Go's parser merges alternatives of one character each that RE2 keeps apart.
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

// classSize counts the ranges of a character class that are within one byte: RE2 has an instruction for each.
func classSize(ranges []rune) int {
	size := 0
	for i := 0; i < len(ranges) && ranges[i] <= 0xff; i += 2 {
		size++
	}
	return max(size, 1)
}

// repeatSize is the size of an expression repeated from least to most times; most is -1 for no limit.
func repeatSize(one, least, most int) int {
	if most < 0 {
		return max(least, 1)*one + 2
	}
	return least*one + (most-least)*(one+1)
}
