package ingest

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// object reads the fields of an unstructured object. A field of the wrong type is a problem that names its path, and
// counts as absent. Absent fields are zero values. Field names are compared exactly.
type object struct {
	path     string
	fields   map[string]any
	problems *problems
}

// specObject is the spec of an object.
func specObject(u *unstructured.Unstructured, problems *problems) object {
	root := object{fields: u.Object, problems: problems}
	return root.object("spec")
}

// nameOf is the name of an object.
func nameOf(u *unstructured.Unstructured) catalog.Name {
	return catalog.Name{Namespace: u.GetNamespace(), Name: u.GetName()}
}

// malformed adds a problem for a value of the wrong type.
func (p *problems) malformed(path string, value any, expected string) {
	p.reject(ReasonMalformed, "%s is %s: expected %s, so this object is not acted on.", path, describe(value), expected)
}

// child is the path of a field.
func (o object) child(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// object reads a field that is an object.
func (o object) object(key string) object {
	child := object{path: o.child(key), problems: o.problems}
	if value := o.fields[key]; value != nil {
		fields, ok := value.(map[string]any)
		if !ok {
			o.problems.malformed(child.path, value, "an object")
		}
		child.fields = fields
	}
	return child
}

func (o object) text(key string) string {
	value := o.fields[key]
	text, ok := value.(string)
	if !ok && value != nil {
		o.problems.malformed(o.child(key), value, "text")
	}
	return text
}

func (o object) flag(key string) bool {
	value := o.fields[key]
	flag, ok := value.(bool)
	if !ok && value != nil {
		o.problems.malformed(o.child(key), value, "true or false")
	}
	return flag
}

func (o object) whole(key string) int64 {
	value := o.fields[key]
	if value == nil {
		return 0
	}
	number, ok := wholeNumber(value)
	if !ok {
		o.problems.malformed(o.child(key), value, "a whole number")
	}
	return number
}

func (o object) list(key string) []any {
	value := o.fields[key]
	items, ok := value.([]any)
	if !ok && value != nil {
		o.problems.malformed(o.child(key), value, "a list")
	}
	return items
}

func (o object) objects(key string) []object {
	var all []object
	for i, item := range o.list(key) {
		path := fmt.Sprintf("%s[%d]", o.child(key), i)
		fields, ok := item.(map[string]any)
		if !ok {
			o.problems.malformed(path, item, "an object")
		}
		all = append(all, object{path: path, fields: fields, problems: o.problems})
	}
	return all
}

// wholeNumber converts the number types of JSON and YAML decoders.
func wholeNumber(value any) (int64, bool) {
	switch n := value.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), true
		}
	}
	return 0, false
}

// describe describes a value for an error message.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the text %.40q", v)
	case bool:
		return fmt.Sprintf("the truth value %t", v)
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("the number %v", value)
}
