package ingest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
)

// decodeSpec converts the spec of one SMI object into its SDK type. It adds a problem for each field of the wrong type and
// reports whether the spec is usable. A missing spec is the zero value.
func decodeSpec[T any](spec any, found *problems) (T, bool) {
	var out T
	if spec == nil {
		return out, true
	}
	t := reflect.TypeFor[T]()
	if !checkType("", spec, t, nil) {
		checkType("spec", spec, t, found)
		return out, false
	}
	fields, _ := spec.(map[string]any)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, &out); err != nil {
		found.reject(ReasonMalformed, "spec cannot be decoded, so this object is not acted on: %s.", err)
		return out, false
	}
	return out, true
}

// checkType reports whether a value can be decoded into the type, and adds a problem for each part that cannot. Without
// found it builds no paths and no messages. The errors of the converter are no replacement: they name Go types but no field.
// Field names are compared exactly; absent fields and null are zero values.
func checkType(path string, value any, t reflect.Type, found *problems) bool {
	expected := ""
	switch t.Kind() {
	case reflect.Pointer:
		return checkType(path, value, t.Elem(), found)
	case reflect.Struct:
		if fields, ok := value.(map[string]any); ok {
			return checkFields(path, fields, t, found)
		}
		expected = "an object"
	case reflect.Slice:
		if items, ok := value.([]any); ok {
			return checkItems(path, items, t.Elem(), found)
		}
		expected = "a list"
	case reflect.String:
		if _, ok := value.(string); !ok {
			expected = "text"
		}
	case reflect.Int:
		if _, ok := wholeNumber(value); !ok {
			expected = "a whole number"
		}
	}
	if expected != "" && found != nil {
		found.malformed(path, value, expected)
	}
	return expected == ""
}

func checkItems(path string, items []any, t reflect.Type, found *problems) bool {
	ok := true
	for i, item := range items {
		itemPath := ""
		if found != nil {
			itemPath = fmt.Sprintf("%s[%d]", path, i)
		}
		ok = checkType(itemPath, item, t, found) && ok
	}
	return ok
}

func checkFields(path string, fields map[string]any, t reflect.Type, found *problems) bool {
	ok := true
	for _, f := range jsonFields(t) {
		value := fields[f.name]
		if value == nil {
			continue
		}
		fieldPath := ""
		if found != nil {
			fieldPath = path + "." + f.name
		}
		ok = checkType(fieldPath, value, f.typ, found) && ok
	}
	return ok
}

// jsonField is a field of a struct type by its JSON name.
type jsonField struct {
	name string
	typ  reflect.Type
}

// jsonFieldsByType caches the results of jsonFields.
var jsonFieldsByType sync.Map

func jsonFields(t reflect.Type) []jsonField {
	if cached, ok := jsonFieldsByType.Load(t); ok {
		return cached.([]jsonField)
	}
	fields := make([]jsonField, t.NumField())
	for i := range fields {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[i] = jsonField{name, t.Field(i).Type}
	}
	jsonFieldsByType.Store(t, fields)
	return fields
}

// splitHeaders returns the spec of an HTTPRouteGroup without the headers of its matches, and the headers by match. The SDK
// type cannot hold headers: it accepts only the list form, and of two expressions for one header it keeps the last.
func splitHeaders(spec any) (any, []any) {
	fields, _ := spec.(map[string]any)
	matches, ok := fields["matches"].([]any)
	if !ok {
		return spec, nil
	}
	matches = slices.Clone(matches)
	headers := make([]any, len(matches))
	for i, item := range matches {
		if match, ok := item.(map[string]any); ok {
			headers[i] = match["headers"]
			match = maps.Clone(match)
			delete(match, "headers")
			matches[i] = match
		}
	}
	fields = maps.Clone(fields)
	fields["matches"] = matches
	return fields, headers
}

// specOf returns the undecoded spec of an object.
func specOf(u *unstructured.Unstructured) any { return u.Object["spec"] }

// serviceAccount reads a reference to a service account. defaultNamespace applies to a reference without a namespace; when it
// is empty, the reference must have one. Names that no Kubernetes object can have are rejected: with dots in a namespace, two
// service accounts would share a principal.
func serviceAccount(path string, subject accessv1alpha3.IdentityBindingSubject, defaultNamespace string, found *problems) (identity.ServiceAccount, bool) {
	sa := identity.ServiceAccount{Namespace: subject.Namespace, Name: subject.Name}
	if sa.Namespace == "" {
		sa.Namespace = defaultNamespace
	}
	switch {
	case subject.Kind != "ServiceAccount":
		found.reject(ReasonUnsupported, "%s has the kind %.40q, which is not acted on: use ServiceAccount.", path, subject.Kind)
	case sa.Namespace == "":
		found.reject(ReasonInvalidName, "%s has no namespace, so it is ignored: write the namespace of the service account.", path)
	case len(validation.IsDNS1123Label(sa.Namespace)) > 0:
		found.reject(ReasonInvalidName, "%s.namespace %.80q is not the name of a namespace, so it is ignored.", path, sa.Namespace)
	case len(validation.IsDNS1123Subdomain(sa.Name)) > 0:
		found.reject(ReasonInvalidName, "%s.name %.80q is not the name of a service account, so it is ignored.", path, sa.Name)
	default:
		return sa, true
	}
	return identity.ServiceAccount{}, false
}
