package dataplane

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// The cache keeps of workloads of other projects what is read of them, and nothing else: a cluster has many of them.
func TestCacheKeepsLittleOfThirdPartyWorkloads(t *testing.T) {
	restart := strings.NewReplacer("RESTART", names.RestartAnnotation+`: "osm-v0-2-0 2026-11-20T12:00:00Z"`)
	for name, c := range map[string]struct{ whole, kept string }{
		"everything": {
			`{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet,
metadata: {name: pool, namespace: shop, annotations: {other: large, RESTART}, managedFields: [{manager: kubectl}]},
spec: {replicas: 2, other: large, template: {metadata: {labels: {app: pool}, annotations: {other: large, RESTART}}, spec: {containers: [{name: app}]}}},
status: {replicas: 2, conditions: [large]}}`,
			`{apiVersion: apps.kruise.io/v1alpha1, kind: CloneSet, metadata: {name: pool, namespace: shop, annotations: {RESTART}},
spec: {replicas: 2, template: {metadata: {labels: {app: pool}, annotations: {RESTART}}}},
status: {replicas: 2}}`,
		},
		"a new one": {
			`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web, annotations: {other: large}},
spec: {template: {metadata: {labels: {app: web}, annotations: {other: large}}}}}`,
			`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}, annotations: {}}}}, status: {}}`,
		},
		"one without a template": {
			`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {workloadRef: {name: web}}, status: {phase: Healthy}}`,
			`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {}, status: {phase: Healthy}}`,
		},
	} {
		object, want := parse(t, restart.Replace(c.whole)), parse(t, restart.Replace(c.kept))
		if _, err := strip(object); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Object, object.Object); diff != "" {
			t.Errorf("%s: the cache keeps (-want +got):\n%s", name, diff)
		}
	}
}

// Of TrafficTargets, it keeps the name and the spec.
func TestCacheKeepsLittleOfTrafficTargets(t *testing.T) {
	target := parse(t, trafficTargetText, "annotations: {a: b}", "annotations: {a: b}, managedFields: [{manager: kubectl}]")
	want := parse(t, trafficTargetText, ", annotations: {a: b}", "")
	if got, err := strip(target); err != nil || cmp.Diff(want, got) != "" {
		t.Errorf("the cache keeps (%v, -want +got):\n%s", err, cmp.Diff(want, got))
	}
}
