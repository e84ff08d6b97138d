package envoy_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/envoy"
	"github.com/openservicemesh/osm-operator/internal/mesh/scope"
)

var update = flag.Bool("update", false, "write the golden outputs instead of comparing with them")

// TestGolden compares, for each testdata/<behaviour>.in.yaml, the resources of that scope with <behaviour>.out.yaml.
func TestGolden(t *testing.T) {
	for name, s := range scopes(t) {
		t.Run(name, func(t *testing.T) {
			got := renderYAML(t, envoy.Build(s))
			path := filepath.Join("testdata", name+".out.yaml")
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("golden output is missing, run the test with -update and review it: %v", err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("resources differ from %s (-want +got):\n%s", path, diff)
			}
		})
	}
}

// scopes reads every golden input.
func scopes(t *testing.T) map[string]*scope.Scope {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.in.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no golden inputs in testdata: %v", err)
	}
	out := map[string]*scope.Scope{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := new(scope.Scope)
		if err := yaml.UnmarshalStrict(data, s); err != nil {
			t.Fatalf("%s is not a scope: %v", path, err)
		}
		out[strings.TrimSuffix(filepath.Base(path), ".in.yaml")] = s
	}
	return out
}

// renderYAML returns the resources as YAML documents. Access logs of the default format are the same everywhere and have their own tests,
// so placeholders replace them.
func renderYAML(t *testing.T, resources []envoy.Resource) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, r := range resources {
		text, err := protojson.Marshal(r.Message)
		if err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
		var tree any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		replaceAccessLogs(tree)
		body, err := yaml.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n# " + r.TypeURL[strings.LastIndexByte(r.TypeURL, '.')+1:] + " " + r.Name + "\n")
		out.Write(body)
	}
	return out.Bytes()
}

func replaceAccessLogs(tree any) {
	switch node := tree.(type) {
	case map[string]any:
		if config, ok := node["typedConfig"].(map[string]any); ok && isStandardFormat(config["accessLogFormat"]) {
			config["accessLogFormat"] = "the usual"
		}
		if config, ok := node["typedConfig"].(map[string]any); ok && isStandardFormat(config["logFormat"]) {
			config["logFormat"] = "the usual"
		}
		if config, ok := node["typedConfig"].(map[string]any); ok && config["commonConfig"] != nil {
			config["commonConfig"] = "the usual"
		}
		if config, ok := node["typedConfig"].(map[string]any); ok && config["statsScope"] != nil {
			for _, kind := range []string{"counters", "histograms"} {
				config[kind] = statNames(config[kind])
			}
			if limits, ok := config["statsScope"].(map[string]any); ok && limits["maxCounters"] == float64(envoy.MaxCounters) {
				delete(config, "statsScope")
			}
		}
		for _, child := range node {
			replaceAccessLogs(child)
		}
	case []any:
		for _, child := range node {
			replaceAccessLogs(child)
		}
	}
}

func isStandardFormat(format any) bool {
	text, err := json.Marshal(format)
	return err == nil && bytes.Contains(text, []byte("time_to_first_byte"))
}

// statNames returns the names of counters or histograms.
func statNames(list any) any {
	stats, ok := list.([]any)
	if !ok {
		return nil
	}
	var names []any
	for _, s := range stats {
		if s, ok := s.(map[string]any)["stat"].(map[string]any); ok {
			names = append(names, s["name"])
		}
	}
	return names
}
