package ingest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
)

// SpecOf returns the undecoded spec of an object.
func SpecOf(u *unstructured.Unstructured) any { return u.Object["spec"] }

// NameOf is the name of an object.
func NameOf(u *unstructured.Unstructured) entity.Name {
	return entity.Name{Namespace: u.GetNamespace(), Name: u.GetName()}
}

// DecodeSpec decodes the spec of an object into the Go type of its API. It adds a problem for each value of the wrong type,
// which stays a zero value, and reports whether there was none. A missing spec is the zero value.
func DecodeSpec[T any](spec any, found *Problems) (T, bool) {
	var out T
	target := reflect.ValueOf(&out).Elem()
	if spec == nil || decode("", spec, target, nil) {
		return out, true
	}
	return out, decode("spec", spec, target, found)
}

// DecodeObject is decodeSpec for the spec of an object. It returns the problems as a new list.
func DecodeObject[T any](u *unstructured.Unstructured) (spec T, found Problems, ok bool) {
	spec, ok = DecodeSpec[T](SpecOf(u), &found)
	return spec, found, ok
}

// decode stores a value, adds a problem for each part of the wrong type, and reports whether there was none. Without found it
// builds no paths and no messages. The converter of apimachinery is no replacement: its errors name Go types but no field.
// Field names are compared exactly; absent fields and null are zero values. Unknown fields are ignored.
func decode(path string, value any, out reflect.Value, found *Problems) bool {
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
		found.Malformed(path, value, expected)
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

func decodeItems(path string, items []any, out reflect.Value, found *Problems) bool {
	out.Set(reflect.MakeSlice(out.Type(), len(items), len(items)))
	ok := true
	for i, item := range items {
		itemPath := ""
		if found != nil {
			itemPath = Indexed(path, i)
		}
		ok = decode(itemPath, item, out.Index(i), found) && ok
	}
	return ok
}

func decodeMap(path string, entries map[string]any, out reflect.Value, found *Problems) bool {
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

func decodeFields(path string, fields map[string]any, out reflect.Value, found *Problems) bool {
	ok := true
	for i, name := range fieldNames(out.Type()) {
		if name == "" { // inlined
			ok = decodeFields(path, fields, out.Field(i), found) && ok
			continue
		}
		value := fields[name]
		if value == nil {
			continue
		}
		fieldPath := ""
		if found != nil {
			fieldPath = path + "." + name
		}
		ok = decode(fieldPath, value, out.Field(i), found) && ok
	}
	return ok
}

// fieldNamesByType caches the results of fieldNames.
var fieldNamesByType sync.Map

// fieldNames returns the JSON names of the fields of a struct type.
func fieldNames(t reflect.Type) []string {
	if cached, ok := fieldNamesByType.Load(t); ok {
		return cached.([]string)
	}
	fields := make([]string, t.NumField())
	for i := range fields {
		fields[i], _, _ = strings.Cut(t.Field(i).Tag.Get("json"), ",")
	}
	fieldNamesByType.Store(t, fields)
	return fields
}

// maxDuration is the longest duration in a policy. Ten times this value still fits all timers.
const maxDuration = 8760 * time.Hour

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

// Count converts a count of at least minimum; nil when it is absent or invalid. An invalid value is a problem of that
// field only.
func (p *Problems) Count(path string, value *int64, minimum uint32) *uint32 {
	return p.Number(path, value, minimum, math.MaxUint32)
}

// Number converts a number within bounds; nil when it is absent or invalid.
func (p *Problems) Number(path string, value *int64, minimum, maximum uint32) *uint32 {
	if value == nil {
		return nil
	}
	if *value < int64(minimum) || *value > int64(maximum) {
		p.Reject(ReasonInvalidNumber, "%s is %d, which is out of range and has no effect: write a whole number from %d to %d.", path, *value, minimum, maximum)
		return nil
	}
	number := uint32(*value) //nolint:gosec // in range
	return &number
}

// Duration parses a duration; 0 when it is absent or invalid. An invalid value is a problem of that field only.
func (p *Problems) Duration(path, text, example string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		p.Reject(ReasonInvalidDuration, "%s %.40q is not a duration and has no effect: write a number with a unit, for example %s.", path, text, example)
	case d < 0:
		p.Reject(ReasonInvalidDuration, "%s %s is below zero and has no effect: write for example %s.", path, text, example)
	case d > maxDuration:
		p.Reject(ReasonInvalidDuration, "%s %s is too long and has no effect: write at most %dh.", path, text, int(maxDuration.Hours()))
	default:
		return d
	}
	return 0
}

// DurationFrom parses a duration and raises it to a minimum, with a warning; 0 when it is absent, zero or invalid.
func (p *Problems) DurationFrom(path, text, example string, minimum time.Duration) time.Duration {
	d := p.Duration(path, text, example)
	if d == 0 || d >= minimum {
		return d
	}
	p.Warn(ReasonInvalidDuration, "%s %s is too short and counts as %s: write at least %s.", path, d, minimum, minimum)
	return minimum
}

// MinTimeout is the shortest timeout of a single operation: the author of a policy must not be able to keep sidecars busy.
const MinTimeout = 10 * time.Millisecond
