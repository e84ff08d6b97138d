package pages

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# Retries\n" +
	"\n" +
	"```yaml title=\"retry.yaml\"\n" +
	"kind: Retry\n" +
	"```\n" +
	"\n" +
	"```console\n" +
	"$ kubectl apply -f retry.yaml\n" +
	"retry.policy.openservicemesh.io/buyer created\n" +
	"$ curl \\\n" +
	"> localhost\n" +
	"```\n" +
	"\n" +
	"```yaml\n" +
	"only: read\n" +
	"```\n"

func TestParse(t *testing.T) {
	got, err := Parse([]byte(page))
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 4, File: "retry.yaml", Content: "kind: Retry\n"},
		{Line: 8, Command: "kubectl apply -f retry.yaml", Output: []string{"retry.policy.openservicemesh.io/buyer created"}},
		{Line: 10, Command: "curl \\\nlocalhost"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestParseRefusesOutputWithoutCommand(t *testing.T) {
	_, err := Parse([]byte("```console\nhello\n```\n"))
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want an error that names line 2", err)
	}
}

func TestMatches(t *testing.T) {
	for name, c := range map[string]struct {
		shown, printed string
		want           bool
	}{
		"equal":                {"a\nb", "a\nb\n", true},
		"another line":         {"a\nb", "a\nc\n", false},
		"a line more":          {"a", "a\nb\n", false},
		"a line less":          {"a\nb", "a\n", false},
		"lines left out":       {"a\n...\nd", "a\nb\nc\nd\n", true},
		"no lines left out":    {"a\n...\nb", "a\nb\n", true},
		"the wrong end":        {"a\n...\nd", "a\nb\nc\n", false},
		"column width":         {"NAME   AGE", "NAME AGE", true},
		"pod names and ages":   {"bookbuyer-5c797ff5f4-tck47 up 4m1s", "bookbuyer-7f9d6c4b5-abcde up 12s", true},
		"a date":               {"valid until 2036-11-17", "valid until 2037-01-02", true},
		"applied before":       {"x/y created", "x/y unchanged", true},
		"a status is not time": {"HTTP 200", "HTTP 403", false},
		"a count is not time":  {"2 of 2 sidecars", "1 of 2 sidecars", false},
		"no output":            {"", "", true},
		"output where none is": {"", "error", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Matches(strings.Split(c.shown, "\n"), c.printed); got != c.want {
				t.Errorf("Matches(%q, %q) = %v", c.shown, c.printed, got)
			}
		})
	}
}
