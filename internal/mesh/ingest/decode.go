package ingest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// specOf returns the undecoded spec of an object.
func specOf(u *unstructured.Unstructured) any { return u.Object["spec"] }

// nameOf is the name of an object.
func nameOf(u *unstructured.Unstructured) catalog.Name {
	return catalog.Name{Namespace: u.GetNamespace(), Name: u.GetName()}
}

// decodeSpec decodes the spec of an object into the Go type of its API. It adds a problem for each value of the wrong type,
// which stays a zero value, and reports whether there was none. A missing spec is the zero value.
func decodeSpec[T any](spec any, found *problems) (T, bool) {
	var out T
	target := reflect.ValueOf(&out).Elem()
	if spec == nil || decode("", spec, target, nil) {
		return out, true
	}
	return out, decode("spec", spec, target, found)
}

// decode stores a value, adds a problem for each part of the wrong type, and reports whether there was none. Without found it
// builds no paths and no messages. The converter of apimachinery is no replacement: its errors name Go types but no field.
// Field names are compared exactly; absent fields and null are zero values. Unknown fields are ignored.
func decode(path string, value any, out reflect.Value, found *problems) bool {
	expected := ""
	switch out.Kind() {
	case reflect.Pointer:
		if fields, ok := value.(map[string]any); ok && fields == nil {
			return true // null in JSON
		}
		out.Set(reflect.New(out.Type().Elem()))
		return decode(path, value, out.Elem(), found)
	case reflect.Struct:
		if fields, ok := value.(map[string]any); ok {
			return decodeFields(path, fields, out, found)
		}
		expected = "an object"
	case reflect.Map:
		if entries, ok := value.(map[string]any); ok {
			return decodeMap(path, entries, out, found)
		}
		expected = "an object"
	case reflect.Slice:
		if items, ok := value.([]any); ok {
			return decodeItems(path, items, out, found)
		}
		expected = "a list"
	default:
		expected = decodeScalar(value, out)
	}
	if expected != "" && found != nil {
		found.malformed(path, value, expected)
	}
	return expected == ""
}

// decodeScalar stores a value, or returns which type is expected instead.
func decodeScalar(value any, out reflect.Value) string {
	switch out.Kind() {
	case reflect.String:
		text, ok := value.(string)
		if !ok {
			return "text"
		}
		out.SetString(text)
	case reflect.Bool:
		flag, ok := value.(bool)
		if !ok {
			return "true or false"
		}
		out.SetBool(flag)
	case reflect.Int, reflect.Int32, reflect.Int64:
		number, ok := wholeNumber(value)
		switch {
		case !ok:
			return "a whole number"
		case out.OverflowInt(number):
			return fmt.Sprintf("a whole number from %d to %d", math.MinInt32, math.MaxInt32)
		}
		out.SetInt(number)
	default:
		return "a type that can be decoded" // TestEveryFieldCanBeDecoded finds such fields
	}
	return ""
}

func decodeItems(path string, items []any, out reflect.Value, found *problems) bool {
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	ok := true
	for i, item := range items {
		itemPath := ""
		if found != nil {
			itemPath = indexed(path, i)
		}
		ok = decode(itemPath, item, out.Index(i), found) && ok
	}
	return ok
}

func decodeMap(path string, entries map[string]any, out reflect.Value, found *problems) bool {
	out.Set(reflect.MakeMapWithSize(out.Type(), len(entries)))
	ok := true
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		element := reflect.New(out.Type().Elem()).Elem()
		if entries[key] != nil {
			ok = decode(path+"."+key, entries[key], element, found) && ok
		}
		out.SetMapIndex(reflect.ValueOf(key), element)
	}
	return ok
}
