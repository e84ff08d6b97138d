package pages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "# Retries\n" +
	"\n" +
	"```sh\n" +
	"kubectl apply -f - <<EOF\n" +
	"kind: Retry\n" +
	"EOF\n" +
	"```\n" +
	"\n" +
	"```text\n" +
	"retry.policy.openservicemesh.io/buyer created\n" +
	"```\n" +
	"\n" +
	"```sh\n" +
	"curl \\\n" +
	"  localhost\n" +
	"```\n" +
	"\n" +
	"This is only for reading:\n" +
	"\n" +
	"```text\n" +
	"hello\n" +
	"```\n"

func TestParse(t *testing.T) {
	got, err := Parse([]byte(page))
	if err != nil {
		t.Fatal(err)
	}
	want := []Step{
		{Line: 4, Script: "kubectl apply -f - <<EOF\nkind: Retry\nEOF\n", Output: []string{"retry.policy.openservicemesh.io/buyer created"}},
		{Line: 14, Script: "curl \\\n  localhost\n"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBePastedIsRejected(t *testing.T) {
	for name, markdown := range map[string]string{
		"console block": "```console\n$ hello\n```\n",
		"prompt":        "```sh\n$ hello\n```\n",
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(markdown)); err == nil || !strings.Contains(err.Error(), "line 2") {
				t.Errorf("Parse() = %v, want an error for line 2", err)
			}
		})
	}
}

func TestShell(t *testing.T) {
	shell := Shell{Dir: t.TempDir(), Env: []string{"PATH=" + os.Getenv("PATH")}, State: filepath.Join(t.TempDir(), "state")}
	for _, c := range []struct {
		name, script, want string
		fails              bool
	}{
		{"several lines", "mkdir below\ncd below\nexport NAME=\"a b\"", "", false},
		{"directory and variables persist", "basename \"$PWD\"\necho $NAME", "below\na b\n", false},
		{"stops at the first failure", "echo before >&2\nfalse\necho after", "before\n", true},
		{"continues after a failure", "cat <<EOF\n$NAME\nEOF", "a b\n", false},
	} {
		got, err := shell.Run(t.Context(), c.script)
		if got != c.want || (err != nil) != c.fails {
			t.Errorf("%s: Run() = %q, %v; want %q, failure %v", c.name, got, err, c.want, c.fails)
		}
	}
}

func TestMatches(t *testing.T) {
	for name, c := range map[string]struct {
		expected, printed string
		want              bool
	}{
		"equal":                   {"a\nb", "a\nb\n", true},
		"different line":          {"a\nb", "a\nc\n", false},
		"extra line":              {"a", "a\nb\n", false},
		"missing line":            {"a\nb", "a\n", false},
		"ellipsis":                {"a\n...\nd", "a\nb\nc\nd\n", true},
		"ellipsis for no lines":   {"a\n...\nb", "a\nb\n", true},
		"ellipsis, wrong end":     {"a\n...\nd", "a\nb\nc\n", false},
		"column width":            {"NAME   AGE", "NAME AGE", true},
		"pod names and ages":      {"bookbuyer-5c797ff5f4-tck47 up 4m1s", "bookbuyer-7f9d6c4b5-abcde up 12s", true},
		"a date":                  {"valid until 2036-11-17", "valid until 2037-01-02", true},
		"applied twice":           {"x/y created", "x/y unchanged", true},
		"status code is compared": {"HTTP 200", "HTTP 403", false},
		"count is compared":       {"2 of 2 sidecars", "1 of 2 sidecars", false},
		"no output":               {"", "", true},
		"unexpected output":       {"", "error", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Matches(strings.Split(c.expected, "\n"), c.printed); got != c.want {
				t.Errorf("Matches(%q, %q) = %v", c.expected, c.printed, got)
			}
		})
	}
}
