package crd_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// creation is an object and what the API server says about it.
type creation struct {
	name string
	// object is YAML.
	object string
	// refusal is part of the answer; empty means that the object is accepted.
	refusal string
}

// checkCreations offers each object to the API server, which stores none of them.
func checkCreations(t *testing.T, c client.Client, cases []creation) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			err := c.Create(t.Context(), parse(t, tt.object), client.DryRunAll)
			checkRefusal(t, err, tt.refusal)
		})
	}
}

// change is an edit of a stored object and what the API server says about it.
type change struct {
	name string
	// from is the object as it is stored, in YAML.
	from string
	// fields is the edit: values by the path of their field. A nil value removes the field.
	fields map[string]any
	// refusal is part of the answer; empty means that the edit is accepted.
	refusal string
}

// checkChanges stores each object, offers its edit to the API server, and removes the object.
func checkChanges(t *testing.T, c client.Client, cases []change) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			object := parse(t, tt.from)
			create(t, c, object)
			defer func() {
				if err := c.Delete(t.Context(), object); err != nil {
					t.Error(err)
				}
			}()
			edited := object.DeepCopy()
			for path, value := range tt.fields {
				set(t, edited, path, value)
			}
			checkRefusal(t, c.Update(t.Context(), edited, client.DryRunAll), tt.refusal)
		})
	}
}

// set writes a value at a path such as spec.namespace, or removes what is there.
func set(t *testing.T, object *unstructured.Unstructured, path string, value any) {
	t.Helper()
	fields := strings.Split(path, ".")
	if value == nil {
		unstructured.RemoveNestedField(object.Object, fields...)
		return
	}
	if err := unstructured.SetNestedField(object.Object, value, fields...); err != nil {
		t.Fatal(err)
	}
}

func checkRefusal(t *testing.T, err error, refusal string) {
	t.Helper()
	switch {
	case refusal == "" && err != nil:
		t.Errorf("refused: %v", err)
	case refusal != "" && err == nil:
		t.Errorf("accepted; the answer should be: %s", refusal)
	case refusal != "" && !strings.Contains(err.Error(), refusal):
		t.Errorf("the answer is\n  %v\nand does not have\n  %s", err, refusal)
	}
}
