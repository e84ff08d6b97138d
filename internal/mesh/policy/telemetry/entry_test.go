package telemetry_test

import (
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// TestOf finds the policy of a pod: in its namespace, and else in that of the mesh, the oldest one with a selector, and else the oldest without one.
func TestOf(t *testing.T) {
	pod := Pod("shop", "web-1", "web", "web", "10.0.0.1")
	policy := func(namespace, name string, created int64, selector map[string]string) *telemetry.Policy {
		return &telemetry.Policy{Name: Name(namespace, name), Created: time.Unix(created, 0), Selector: selector}
	}
	for name, c := range map[string]struct {
		entries []catalog.Entry
		want    entity.Name
	}{
		"none":            {nil, entity.Name{}},
		"the oldest":      {[]catalog.Entry{policy("shop", "b", 1, nil), policy("shop", "a", 2, nil)}, Name("shop", "b")},
		"with a selector": {[]catalog.Entry{policy("shop", "b", 2, pod.Labels), policy("shop", "a", 1, nil)}, Name("shop", "b")},
		"of other pods":   {[]catalog.Entry{policy("shop", "b", 1, map[string]string{"app": "other"})}, entity.Name{}},
		"of the mesh":     {[]catalog.Entry{policy("osm-system", "c", 1, pod.Labels), policy("bank", "b", 1, nil)}, Name("osm-system", "c")},
		"of both":         {[]catalog.Entry{policy("shop", "b", 2, nil), policy("osm-system", "c", 1, pod.Labels)}, Name("shop", "b")},
	} {
		if got := telemetry.Of(Apply(append(c.entries, &catalog.Settings{Namespace: "osm-system"})...).View(), pod); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestLogWithoutTexts checks what is left of a log that is too long.
func TestLogWithoutTexts(t *testing.T) {
	log := &telemetry.AccessLog{Text: "%PROTOCOL%", Filter: "true"}
	if got := log.WithoutTexts(); got.HasOwnFormat() || got.Export != nil || got.Filter != log.Filter {
		t.Errorf("the log is %+v", got)
	}
	log.Export = &telemetry.Export{Service: catalog.ExtensionService{Name: Name("shop", "logs")}, Attributes: map[string]string{"a": "b"}}
	if got := log.WithoutTexts(); got.Export == nil || got.Export.Service.Name != log.Export.Service.Name || got.Export.Attributes != nil || log.Export.Attributes == nil {
		t.Errorf("the exported log is %+v, and was %+v", got.Export, log.Export)
	}
}
