package current

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const kubeconfig = `apiVersion: v1
kind: Config
current-context: CONTEXT
contexts:
- {name: staging, context: {cluster: east, user: admin}}
- {name: broken, context: {cluster: west, user: admin}}
clusters:
- {name: east, cluster: {server: "https://east.example.com:6443"}}
`

func TestReadTarget(t *testing.T) {
	for context, want := range map[string]string{
		"staging": "",
		"":        "has no current context: choose one with `kubectl config use-context NAME`",
		"lost":    "has no current context",
		"broken":  `has no cluster "west", which the context broken names`,
	} {
		path := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(path, []byte(strings.Replace(kubeconfig, "CONTEXT", `"`+context+`"`, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		target, err := ReadTarget(path)
		if want == "" {
			if err != nil || target != (Target{Context: "staging", Server: "https://east.example.com:6443"}) {
				t.Errorf("%+v %v", target, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("context %q: error %v, want %q", context, err, want)
		}
	}
}

func TestTargetIsDescribed(t *testing.T) {
	var out strings.Builder
	Target{Context: "staging", Server: "https://east.example.com:6443"}.Describe(&out, "registry.example.com/mirror")
	for _, want := range []string{"staging", "https://east.example.com:6443", "osm-operator-system, osm-system, bookwarehouse", "registry.example.com/mirror/openservicemesh"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}
