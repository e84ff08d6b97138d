package apply

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMerge(t *testing.T) {
	tests := map[string]struct{ desired, live, want string }{
		"a new object":              {"spec: {replicas: 2}", "{}", "spec: {replicas: 2}"},
		"fields of others stay":     {"spec: {replicas: 2}", "spec: {replicas: 5, paused: true}", "spec: {replicas: 2, paused: true}"},
		"named items of others too": {"spec: {c: [{name: a, image: i}]}", "spec: {c: [{name: x}, {name: a, image: j, tty: true}]}", "spec: {c: [{name: x}, {name: a, image: i, tty: true}]}"},
		"a new named item":          {"spec: {c: [{name: a}]}", "spec: {c: [{name: x}]}", "spec: {c: [{name: x}, {name: a}]}"},
		"one controller": {
			"metadata: {ownerReferences: [{uid: b, name: b, controller: true}]}",
			"metadata: {ownerReferences: [{uid: a, name: a, controller: true}, {uid: x, name: x}]}",
			"metadata: {ownerReferences: [{uid: b, name: b, controller: true}, {uid: x, name: x}]}",
		},
		"other lists are a whole": {"rules: [{verbs: [get]}]", "rules: [{verbs: [get]}, {verbs: ['*']}]", "rules: [{verbs: [get]}]"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			live := decode(t, test.live)
			if diff := cmp.Diff(decode(t, test.want), Merge(decode(t, test.desired), live)); diff != "" {
				t.Errorf("merged (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(decode(t, test.live), live); diff != "" {
				t.Errorf("the live object was changed:\n%s", diff)
			}
		})
	}
}

// What was merged is as desired, and what was as desired is not changed by merging.
func TestMergeAgreesWithDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		desired, live := drawObject(t, "desired"), drawObject(t, "live")
		merged := Merge(desired, live)
		if left := Differences(desired, merged); len(left) > 0 {
			t.Fatalf("%v in %v merged into %v is still different: %v", left, desired, live, merged)
		}
		if again := Merge(desired, merged); !cmp.Equal(merged, again) {
			t.Fatalf("merging twice makes another object: %s", cmp.Diff(merged, again))
		}
	})
}

func drawObject(t *rapid.T, label string) map[string]any {
	return drawValue(t, label, 3, true).(map[string]any)
}

func drawValue(t *rapid.T, label string, depth int, asMap bool) any {
	kind := rapid.IntRange(0, 3).Draw(t, label+" kind")
	switch {
	case asMap || depth > 0 && kind == 0:
		value := map[string]any{}
		for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID[string]).Draw(t, label+" keys") {
			value[key] = drawValue(t, label, depth-1, false)
		}
		return value
	case depth > 0 && kind == 1:
		list := []any{}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y", "z"}), 0, 3, rapid.ID[string]).Draw(t, label+" names") {
			item := drawValue(t, label, depth-1, true).(map[string]any)
			item["name"] = name
			list = append(list, item)
		}
		return list
	case depth > 0 && kind == 2:
		return []any{rapid.Int64Range(0, 2).Draw(t, label)}
	}
	return rapid.Int64Range(0, 2).Draw(t, label)
}
