package rehearsal

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/controllers/operator/apply"
)

func decode(t *testing.T, text string) map[string]any {
	t.Helper()
	var value map[string]any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// What is left of a live object, after previous was applied and then desired is.
func TestGiveUp(t *testing.T) {
	for name, c := range map[string]struct{ previous, live, desired, others, want string }{
		"a field":               {"{spec: {a: 1, b: 2}}", "{spec: {a: 1, b: 2}}", "{spec: {a: 1}}", "{}", "{spec: {a: 1}}"},
		"a field of others":     {"{spec: {a: 1, b: 2}}", "{spec: {a: 1, b: 2}}", "{spec: {a: 1}}", `{"f:spec": {"f:b": {}}}`, "{spec: {a: 1, b: 2}}"},
		"what nobody applied":   {"{spec: {a: 1}}", "{spec: {a: 1, c: 3}}", "{spec: {}}", "{}", "{spec: {c: 3}}"},
		"a map with its last":   {"{spec: {m: {a: 1}}}", "{spec: {m: {a: 1}}}", "{spec: {}}", "{}", "{spec: {}}"},
		"a map with others'":    {"{spec: {m: {a: 1}}}", "{spec: {m: {a: 1, x: 1}}}", "{spec: {}}", "{}", "{spec: {m: {x: 1}}}"},
		"a list as a whole":     {"{spec: {l: [1, 2]}}", "{spec: {l: [1, 2]}}", "{spec: {}}", "{}", "{spec: {}}"},
		"an item by name":       {"{hooks: [{name: a}, {name: b}]}", "{hooks: [{name: a}, {name: b}, {name: x}]}", "{hooks: [{name: a}]}", "{}", "{hooks: [{name: a}, {name: x}]}"},
		"an item of others too": {"{hooks: [{name: a}, {name: b}]}", "{hooks: [{name: a}, {name: b}]}", "{hooks: [{name: a}]}", `{"f:hooks": {'k:{"name":"b"}': {}}}`, "{hooks: [{name: a}, {name: b}]}"},
		"a field of an item":    {"{hooks: [{name: a, t: 1}]}", "{hooks: [{name: a, t: 1, u: 2}]}", "{hooks: [{name: a}]}", "{}", "{hooks: [{name: a, u: 2}]}"},
		"nothing":               {"{spec: {a: 1}}", "{spec: {a: 1}}", "{spec: {a: 1}}", "{}", "{spec: {a: 1}}"},
	} {
		t.Run(name, func(t *testing.T) {
			live := decode(t, c.live)
			giveUp(live, decode(t, c.desired), treeOf(decode(t, c.previous)), []tree{decode(t, c.others)})
			if diff := cmp.Diff(decode(t, c.want), live); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOwnedBy(t *testing.T) {
	entry := func(manager string, operation metav1.ManagedFieldsOperationType, subresource, fields string) metav1.ManagedFieldsEntry {
		e := metav1.ManagedFieldsEntry{Manager: manager, Operation: operation, Subresource: subresource, FieldsV1: &metav1.FieldsV1{}}
		e.FieldsV1.SetRawBytes([]byte(fields))
		return e
	}
	own, others := ownedBy([]metav1.ManagedFieldsEntry{
		entry(apply.FieldManager, metav1.ManagedFieldsOperationApply, "", `{"f:spec":{"f:a":{}}}`),
		entry(apply.FieldManager, metav1.ManagedFieldsOperationUpdate, "status", `{"f:status":{}}`),
		entry("kubectl", metav1.ManagedFieldsOperationUpdate, "", `{"f:spec":{"f:b":{}}}`),
		{Manager: "nobody"},
	})
	if diff := cmp.Diff(tree{"f:spec": tree{"f:a": tree{}}}, own); diff != "" || len(others) != 2 {
		t.Errorf("own (-want +got):\n%s\nothers: %v", diff, others)
	}
}
