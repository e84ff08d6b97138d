package crdchange

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// limit is a limit of a field in both versions; nil means none.
type limit struct {
	name          string
	before, after *float64
	// isMinimum is true for lower limits.
	isMinimum bool
}

// limits returns the limits of a field.
func limits(before, after *apiextensionsv1.JSONSchemaProps) []limit {
	return []limit{
		{"minimum", before.Minimum, after.Minimum, true},
		{"maximum", before.Maximum, after.Maximum, false},
		{"minLength", number(before.MinLength), number(after.MinLength), true},
		{"maxLength", number(before.MaxLength), number(after.MaxLength), false},
		{"minItems", number(before.MinItems), number(after.MinItems), true},
		{"maxItems", number(before.MaxItems), number(after.MaxItems), false},
		{"minProperties", number(before.MinProperties), number(after.MinProperties), true},
		{"maxProperties", number(before.MaxProperties), number(after.MaxProperties), false},
	}
}

func number(value *int64) *float64 {
	if value == nil {
		return nil
	}
	converted := float64(*value)
	return &converted
}

// compare reports a limit that is new or narrower.
func (l limit) compare(c *comparison, place string) {
	switch {
	case l.after == nil:
	case l.before == nil:
		c.add(place, "%s becomes %v", l.name, *l.after)
	case l.isMinimum && *l.after > *l.before, !l.isMinimum && *l.after < *l.before:
		c.add(place, "%s changes from %v to %v", l.name, *l.before, *l.after)
	}
}
