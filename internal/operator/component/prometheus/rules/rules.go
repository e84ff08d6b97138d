package rules

import (
	_ "embed"
	"fmt"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
)

// content has MESH for the name of the mesh.
//
//go:embed rules.yaml
var content string

// runbooks is the address of the pages about alerts.
const runbooks = "https://github.com/openservicemesh/osm-operator/blob/main/docs/runbooks/"

// File is a rule file of Prometheus, and the spec of a PrometheusRule.
type File struct {
	Groups []Group `json:"groups"`
}

// Group is a list of rules that are evaluated together.
type Group struct {
	Name  string `json:"name"`
	Rules []Rule `json:"rules"`
}

// Rule is a recording rule or an alert.
type Rule struct {
	Record      string            `json:"record,omitempty"`
	Alert       string            `json:"alert,omitempty"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// ForMesh returns the rules of a mesh. Every alert has the address of its runbook.
func ForMesh(mesh string) (File, error) {
	var file File
	failed := prometheus.Failed(func(matchers string) string { return `rate(osm_request_total{mesh="MESH",` + matchers + `}[5m])` })
	text := strings.ReplaceAll(strings.ReplaceAll(content, "FAILED_REQUESTS_5M", failed), "MESH", mesh)
	if err := yaml.UnmarshalStrict([]byte(text), &file); err != nil {
		return File{}, fmt.Errorf("the rules of Prometheus cannot be read: %w", err)
	}
	for _, group := range file.Groups {
		for i := range group.Rules {
			if rule := &group.Rules[i]; rule.Alert != "" {
				rule.Annotations["runbook_url"] = runbooks + Runbook(rule.Alert)
			}
		}
	}
	return file, nil
}

var words = regexp.MustCompile(`[A-Z][a-z]+`)

// Runbook returns the file name of the runbook of an alert: OSMWatchStale has watch-stale.md.
func Runbook(alert string) string {
	return strings.ToLower(strings.Join(words.FindAllString(strings.TrimPrefix(alert, "OSM"), -1), "-")) + ".md"
}
