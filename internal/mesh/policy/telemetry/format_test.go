package telemetry

import (
	"strings"
	"testing"
)

// TestLogFormats checks which formats of log lines sidecars can use. Others would make them reject the listener.
func TestLogFormats(t *testing.T) {
	for format, want := range map[string]string{
		"":                              "",
		"100%% of %PROTOCOL%":           "",
		"%CEL(has(request.path))%":      "",
		"%PROTOCOL:12345%":              "",
		"%DURATION% %PROTOCOL%":         "",
		"100%":                          "has a percent sign before \"\" that begins no command operator",
		"100% of":                       "has a percent sign before \" of\" that begins no command operator",
		"100%% of %X%":                  "has the command operator %X%",
		"%DURATION% %X%":                "has the command operator %X%",
		"%A0Z9_%":                       "has the command operator %A0Z9_%",
		"%FILE_CONTENT(/etc/passwd)%":   "has the command operator %FILE_CONTENT%",
		"%PROTOCOLx%":                   "has %PROTOCOL without the percent sign at its end",
		"%PROTOCOL":                     "has a percent sign before \"PROTOCOL\" that begins no command operator",
		"%PROTOCOL(x)%":                 "has %PROTOCOL(x)%, which has no parameter",
		"%PROTOCOL:%":                   "has %PROTOCOL with a colon that no length of up to 5 digits follows",
		"%PROTOCOL:123456%":             "has %PROTOCOL with a colon that no length of up to 5 digits follows",
		"%REQ(:PATH%":                   "has %REQ( without the closing parenthesis",
		"%CEL(has(request.path)%":       "has %CEL( without the closing parenthesis",
		"%CEL(pod.name)%":               "has an invalid expression: it is not an expression",
		"%REQ()%":                       "has %REQ% without its parameter",
		"%REQ(:PATH)%%PROTOCOL%%%%NO%%": "has the command operator %NO%",
	} {
		if got := checkFormat(format); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", format, got, want)
		}
	}
}

// TestLogOperatorsAreFormats checks that each operator of the list can be used as it is listed.
func TestLogOperatorsAreFormats(t *testing.T) {
	all := Operators()
	if len(all) != len(operators) {
		t.Fatalf("there are %d operators, want %d", len(all), len(operators))
	}
	for _, operator := range all {
		if reason := checkFormat(operator); reason != "" {
			t.Errorf("%s: %s", operator, reason)
		}
	}
}

// TestExpressions checks which expressions select what is logged.
func TestExpressions(t *testing.T) {
	longest := strings.Repeat(" ", maxExpression-4) + "true"
	for expression, want := range map[string]string{
		"true": "", "metadata['a']": "", longest: "",
		" " + longest: "it has 1025 characters: use at most 1024",
		"1 + 1":       "it is a int, and must be true or false",
		"":            "it is not an expression over Envoy's attributes",
	} {
		err := checkExpression(expression)
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", expression, err, want)
		}
	}
}
