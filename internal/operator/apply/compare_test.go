package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

func TestDifferences(t *testing.T) {
	tests := map[string]struct {
		desired, live string
		want          []string
	}{
		"equal":                         {"spec: {replicas: 2}", "spec: {replicas: 2}", nil},
		"a field of another manager":    {"spec: {replicas: 2}", "spec: {replicas: 2, paused: true}", nil},
		"a value":                       {"spec: {replicas: 2}", "spec: {replicas: 5}", []string{"spec.replicas"}},
		"a removed field":               {"metadata: {labels: {app: x}}", "metadata: {}", []string{"metadata.labels.app"}},
		"omitted zero values":           {"spec: {paused: false, text: '', number: 0, none: {}, list: []}", "spec: {}", nil},
		"zero instead of another value": {"spec: {paused: false}", "spec: {paused: true}", []string{"spec.paused"}},
		"an added named item": {
			"spec: {containers: [{name: a, image: i}]}",
			"spec: {containers: [{name: injected, image: x}, {name: a, image: i}]}", nil,
		},
		"a changed named item": {
			"spec: {containers: [{name: a, image: i}]}",
			"spec: {containers: [{name: a, image: other}]}",
			[]string{"spec.containers[a].image"},
		},
		"a missing named item": {
			"spec: {ports: [{name: a, port: 1}, {name: b, port: 2}]}",
			"spec: {ports: [{name: a, port: 1}]}",
			[]string{"spec.ports[b].name", "spec.ports[b].port"},
		},
		"an added spread constraint": {
			"spec: {template: {spec: {topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}}}",
			"spec: {template: {spec: {topologySpreadConstraints: [{topologyKey: host, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}, {topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}}}", nil,
		},
		"a changed spread constraint": {
			"spec: {template: {spec: {topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 1}]}}}",
			"spec: {template: {spec: {topologySpreadConstraints: [{topologyKey: zone, whenUnsatisfiable: DoNotSchedule, maxSkew: 2}]}}}",
			[]string{"spec.template.spec.topologySpreadConstraints[zone].maxSkew"},
		},
		"an added rule": {
			"rules: [{verbs: [get]}]",
			"rules: [{verbs: [get]}, {verbs: ['*']}]",
			[]string{"rules"},
		},
		"a widened rule": {
			"rules: [{verbs: [get]}]",
			"rules: [{verbs: [get, delete]}]",
			[]string{"rules[0].verbs"},
		},
		"an added subject": {
			"subjects: [{kind: ServiceAccount, name: a}]",
			"subjects: [{kind: ServiceAccount, name: a}, {kind: User, name: eve}]",
			[]string{"subjects"},
		},
		"an added version of a definition": {
			"spec: {versions: [{name: v1}]}", "spec: {versions: [{name: v1}, {name: v2}]}", []string{"spec.versions"},
		},
		"a value of another type": {"spec: {a: {b: 1}}", "spec: {a: text}", []string{"spec.a"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := Differences(decode(t, test.desired), decode(t, test.live))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var value map[string]any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}
