package ingest

import (
	"reflect"
	"strings"
	"sync"
)

func decodeFields(path string, fields map[string]any, out reflect.Value, found *problems) bool {
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
