package translate

import (
	"encoding/json"
	"fmt"
	"io"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// PrintYAML writes the objects as YAML documents. A comment names what each replaces.
func (r *Result) PrintYAML(w io.Writer) error {
	for i, object := range r.Objects {
		if i > 0 {
			fmt.Fprintln(w, "---")
		}
		if len(object.From) > 0 {
			fmt.Fprintf(w, "# From %s.\n", joinRefs(object.From))
		}
		text, err := yaml.Marshal(object.Object)
		if err != nil {
			return err
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return nil
}

// PrintJSON writes the objects as a list that kubectl can apply.
func (r *Result) PrintJSON(w io.Writer) error {
	list := unstructured.UnstructuredList{Object: map[string]any{"apiVersion": "v1", "kind": "List"}}
	for _, object := range r.Objects {
		list.Items = append(list.Items, *object.Unstructured)
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "    ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(list.UnstructuredContent())
}
