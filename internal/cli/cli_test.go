package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func TestStateOf(t *testing.T) {
	since := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	tests := map[string]struct {
		types      map[string]report.Type
		state, txt string
	}{
		"nothing yet":              {nil, "up to date", ""},
		"all acknowledged":         {map[string]report.Type{"CDS": {Accepted: 1}}, "up to date", ""},
		"an answer is missing":     {map[string]report.Type{"LDS": {Behind: &since}, "CDS": {Behind: &since}}, "behind", "waiting for the acknowledgement of CDS, LDS"},
		"a rejection is the worst": {map[string]report.Type{"LDS": {Behind: &since}, "RDS": {Rejection: "no"}}, "rejecting", "RDS: no"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := stateOf(report.Proxy{Types: test.types}, "r")
			if got.State != test.state || got.Text != test.txt {
				t.Errorf("%q, %q; want %q, %q", got.State, got.Text, test.state, test.txt)
			}
		})
	}
	if got := stateOf(report.Proxy{Unserved: "its Envoy is old"}, "r"); got.State != "not served" || got.Text != "its Envoy is old" {
		t.Errorf("a sidecar that is not served is %q, %q", got.State, got.Text)
	}
}

func TestWaitName(t *testing.T) {
	for text, want := range map[string]string{
		"traffictarget/a": "TrafficTarget a", "TrafficTarget.access.smi-spec.io/a": "TrafficTarget a",
		"tcproutes/b": "TCPRoute b", "retries.policy.openservicemesh.io/c": "Retry c", "TS/d": "TrafficSplit d", "mesh/osm": "Mesh osm", "deployment.apps/a": "Deployment a", "deploy/a": "Deployment a", "deployment/a/b": "", "pod/a": "", "a": "", "traffictarget/": "",
	} {
		kind, name, err := waitName(text)
		if got := strings.TrimSpace(kind + " " + name); got != want || (err == nil) != (want != "") {
			t.Errorf("%s is %q (%v), want %q", text, got, err, want)
		}
	}
}

// The page about the command line lists the exit codes that there are, and no others.
func TestExitCodesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range Exits {
		want = append(want, fmt.Sprintf("| %d | %s |", e.Code, e.Means))
	}
	got := regexp.MustCompile(`(?m)^\| [0-9]+ \| .*$`).FindAllString(string(page), -1)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/cli/README.md (-want +got):\n%s", diff)
	}
}

// The file of settings is found by OSM_CONFIG, or in the user's home folder, which Windows names by another variable.
func TestSettings(t *testing.T) {
	homeFolder := t.TempDir()
	if err := os.MkdirAll(filepath.Join(homeFolder, ".osm"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, kind := range map[string]string{filepath.Join(homeFolder, ".osm", "config.yaml"): "managed", filepath.Join(homeFolder, "other"): "self-hosted"} {
		if err := os.WriteFile(path, []byte("install: {kind: "+kind+"}"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"home folder": {map[string]string{"HOME": homeFolder}, managed},
		"on Windows":  {map[string]string{"USERPROFILE": homeFolder}, managed},
		"named":       {map[string]string{"HOME": homeFolder, "OSM_CONFIG": filepath.Join(homeFolder, "other")}, selfHosted},
		"nothing":     {nil, selfHosted},
	} {
		got, err := loadSettings(func(key string) string { return test.env[key] })
		if err != nil || got.Install.Kind != test.want {
			t.Errorf("%s: %q (%v), want %q", name, got.Install.Kind, err, test.want)
		}
	}
}

func TestProgress(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	var text strings.Builder
	p := &progress{out: &text, now: func() time.Time { return now }, began: now}
	p.report("too early")
	now = now.Add(3 * time.Second)
	p.report("%d of 2", 1)
	p.report("%d of 2", 1)
	now = now.Add(time.Second)
	p.report("%d of 2", 2)
	now = now.Add(time.Second)
	p.repeat()
	now = now.Add(repeatInterval)
	p.setQuiet(true)
	p.repeat()
	p.setQuiet(false)
	p.repeat()
	if diff := cmp.Diff("    3s  1 of 2\n    4s  2 of 2\n   10s  2 of 2\n", text.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Every command says what it does, and every flag what it means, so that help and reference have no holes.
func TestEveryCommandIsDescribed(t *testing.T) {
	root := New(Streams{In: strings.NewReader(""), Out: &strings.Builder{}, Err: &strings.Builder{}}, time.Now, func(string) string { return "" })
	var visit func(*cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Short == "" || !cmd.HasSubCommands() && cmd.Long == "" {
			t.Errorf("%s has no description", cmd.CommandPath())
		}
		for _, child := range cmd.Commands() {
			visit(child)
		}
	}
	visit(root)
}
