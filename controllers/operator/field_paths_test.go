package operator_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/openservicemesh/osm-operator/internal/operator/apply"
)

// step selects one value of an object: a field of a map, or the item of a list with some keys.
type step struct {
	field string
	keys  map[string]any
}

// fieldPath is the path from an object to a value.
type fieldPath []step

func (p fieldPath) String() string {
	var text strings.Builder
	for _, s := range p {
		if s.keys == nil {
			text.WriteString("." + s.field)
			continue
		}
		var keys []string
		for _, key := range slices.Sorted(maps.Keys(s.keys)) {
			keys = append(keys, fmt.Sprint(s.keys[key]))
		}
		text.WriteString("[" + strings.Join(keys, "/") + "]")
	}
	return strings.TrimPrefix(text.String(), ".")
}

// ownedFields are the values that the operator has applied to an object: single values, lists that are one value, and items of lists that
// are merged by keys.
func ownedFields(object *unstructured.Unstructured) (values, items []fieldPath, err error) {
	for _, entry := range object.GetManagedFields() {
		if entry.Manager != apply.FieldManager || entry.Operation != "Apply" || entry.Subresource != "" {
			continue
		}
		var tree map[string]any
		if err := json.Unmarshal(entry.FieldsV1.GetRawBytes(), &tree); err != nil {
			return nil, nil, err
		}
		walkOwned(tree, nil, &values, &items)
	}
	byText := func(a, b fieldPath) int { return strings.Compare(a.String(), b.String()) }
	slices.SortFunc(values, byText)
	slices.SortFunc(items, byText)
	return values, items, nil
}

func walkOwned(tree map[string]any, path fieldPath, values, items *[]fieldPath) {
	leaf := true
	for key, below := range tree {
		var next step
		kind, text, _ := strings.Cut(key, ":")
		switch kind {
		case "f":
			next.field = text
		case "k":
			if json.Unmarshal([]byte(text), &next.keys) != nil {
				continue
			}
		default:
			continue
		}
		leaf = false
		deeper := append(slices.Clone(path), next)
		if next.keys != nil {
			*items = append(*items, deeper)
		}
		if content, ok := below.(map[string]any); ok {
			walkOwned(content, deeper, values, items)
		}
	}
	if leaf {
		*values = append(*values, path)
	}
}

// read returns the value at a path.
func (p fieldPath) read(content any) (any, bool) {
	for _, s := range p {
		found := false
		if s.keys == nil {
			var asMap map[string]any
			if asMap, found = content.(map[string]any); found {
				content, found = asMap[s.field]
			}
		} else if i := indexOf(content, s.keys); i >= 0 {
			content, found = content.([]any)[i], true
		}
		if !found {
			return nil, false
		}
	}
	return content, true
}

// indexOf returns the index of the list item with some keys, or -1.
func indexOf(content any, keys map[string]any) int {
	list, _ := content.([]any)
	return slices.IndexFunc(list, func(item any) bool {
		asMap, ok := item.(map[string]any)
		for key, value := range keys {
			ok = ok && fmt.Sprint(asMap[key]) == fmt.Sprint(value)
		}
		return ok
	})
}

// write sets or removes the value at a path.
func (p fieldPath) write(object *unstructured.Unstructured, value any, remove bool) {
	object.Object, _ = edited(object.Object, p, value, remove).(map[string]any)
}

// edited returns content with another value at a path.
func edited(content any, p fieldPath, value any, remove bool) any {
	if len(p) == 0 {
		return value
	}
	last := len(p) == 1
	if p[0].keys != nil {
		list, _ := content.([]any)
		i := indexOf(content, p[0].keys)
		switch {
		case i < 0:
		case last && remove:
			return slices.Delete(slices.Clone(list), i, i+1)
		default:
			list[i] = edited(list[i], p[1:], value, remove)
		}
		return list
	}
	asMap, _ := content.(map[string]any)
	if last && remove {
		delete(asMap, p[0].field)
		return asMap
	}
	asMap[p[0].field] = edited(asMap[p[0].field], p[1:], value, remove)
	return asMap
}

// otherValues returns replacements for a value. The first one that the API server accepts is used.
func otherValues(value any) []any {
	switch value := value.(type) {
	case bool:
		return []any{!value}
	case int64:
		return []any{value + 1, value - 1}
	case string:
		return append([]any{value + "x", value + "-x"}, otherStrings(value)...)
	case []any:
		others := []any{value[:max(len(value)-1, 0)]}
		if len(value) > 0 {
			for _, added := range otherItems(value[0]) {
				others = append(others, append(slices.Clone(value), added))
			}
		}
		return others
	case map[string]any:
		return append(otherItems(value), map[string]any{})
	}
	return nil
}

// otherItems returns items that can be added to a list with an item.
func otherItems(item any) []any {
	asMap, ok := item.(map[string]any)
	if !ok {
		return otherValues(item)
	}
	var items []any
	for key, value := range asMap {
		for _, other := range otherValues(value) {
			copied := runtime.DeepCopyJSON(asMap)
			copied[key] = other
			items = append(items, copied)
		}
	}
	return items
}

// otherStrings returns the other values of an enumeration, or other strings of the same format.
func otherStrings(word string) []any {
	for _, words := range [][]any{
		{"IfNotPresent", "Always"},
		{"HTTP", "HTTPS"},
		{"TCP", "UDP"},
		{"Fail", "Ignore"},
		{"Equivalent", "Exact"},
		{"None", "NoneOnDryRun"},
		{"IfNeeded", "Never"},
		{"RollingUpdate", "Recreate"},
		{"RuntimeDefault", "Unconfined"},
		{"Utilization", "Value"},
		{"cpu", "memory"},
		{"info", "debug"},
		{"error", "debug"},
		{"Active", "Standby"},
		{"50m", "60m"},
		{"64Mi", "65Mi"},
		{"/metrics", "/x"},
		{"All", "None"},
		{"30s", "40s"},
		{"24h", "25h"},
		{"24h0m0s", "25h"},
		{"v1", "v1beta1"},
		{"apps/v1", "apps/v2"},
		{"Exists", "Equal"},
		{"NoExecute", "NoSchedule"},
		{"ECDSA", "RSA"},
		{"ca", "webhook-cert"},
		{"metadata.name", "metadata.namespace"},
		{"metadata.namespace", "metadata.name"},
		{"DoNotSchedule", "ScheduleAnyway"},
	} {
		if i := slices.Index(words, any(word)); i >= 0 {
			return []any{words[1-i]}
		}
	}
	return []any{base64.StdEncoding.EncodeToString([]byte("-----BEGIN CERTIFICATE-----"))}
}

// same reports whether two values are equal for a user.
func same(a, b any) bool { return reflect.DeepEqual(a, b) }
