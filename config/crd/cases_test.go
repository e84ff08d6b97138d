package crd_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// creation is an object and the expected response of the API server.
type creation struct {
	name string
	// object is YAML.
	object string
	// rejection is part of the error. It is empty if the object is accepted.
	rejection string
}

// checkCreations creates each object in a dry run.
func checkCreations(t *testing.T, c client.Client, cases []creation) {
	t.Helper()
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			err := c.Create(t.Context(), parse(t, tt.object), client.DryRunAll)
			checkRejection(t, err, tt.rejection)
		})
	}
}

// change is an edit of a stored object and the expected response of the API server.
type change struct {
	name string
	// from is the stored object in YAML.
	from string
	// fields contains the new values by field path. A nil value removes the field.
	fields map[string]any
	// rejection is part of the error. It is empty if the edit is accepted.
	rejection string
}

// checkChanges creates each object, edits it in a dry run, and deletes it.
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
			checkRejection(t, c.Update(t.Context(), edited, client.DryRunAll), tt.rejection)
		})
	}
}

// set sets the value at a path such as spec.namespace, or removes the field.
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

func checkRejection(t *testing.T, err error, rejection string) {
	t.Helper()
	switch {
	case rejection == "" && err != nil:
		t.Errorf("rejected: %v", err)
	case rejection != "" && err == nil:
		t.Errorf("accepted, want the error: %s", rejection)
	case rejection != "" && !strings.Contains(err.Error(), rejection):
		t.Errorf("the error is\n  %v\nand does not contain\n  %s", err, rejection)
	}
}
