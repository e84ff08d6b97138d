package crdchange

import apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

// flatten returns the schemas of all fields by their paths. The path of list items ends in .[], that of map values in .{}. The root has
// the empty path.
func flatten(root *apiextensionsv1.JSONSchemaProps) map[string]*apiextensionsv1.JSONSchemaProps {
	all := map[string]*apiextensionsv1.JSONSchemaProps{}
	collect(all, "", root)
	return all
}

func collect(all map[string]*apiextensionsv1.JSONSchemaProps, path string, schema *apiextensionsv1.JSONSchemaProps) {
	all[path] = schema
	prefix := path + "."
	if path == "" {
		prefix = ""
	}
	for name, property := range schema.Properties {
		collect(all, prefix+name, &property)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		collect(all, prefix+"[]", schema.Items.Schema)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		collect(all, prefix+"{}", schema.AdditionalProperties.Schema)
	}
}
