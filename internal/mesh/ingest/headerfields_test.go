package ingest_test

import (
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/config/crd"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/testing/ingesttest"
)

// headerField is a field with the name of a header.
type headerField struct {
	// use is what the field does with the header; empty for a field whose rule is not supported as a whole.
	use ingest.HeaderUse
	// spec is one that has NAME in the field, and is valid if that is the name of a header of an application.
	spec string
}

// headerFields returns the fields of each kind with the name of a header, or of what can be one.
func headerFields() map[string]map[string]headerField {
	fields := map[string]map[string]headerField{"ExternalAuthorization": {
		"spec.requestHeaders[]":  {ingest.HeaderCopied, "{extensionService: {name: opa}, requestHeaders: [NAME]}"},
		"spec.responseHeaders[]": {ingest.HeaderCopied, "{extensionService: {name: opa}, responseHeaders: [NAME]}"},
	}, "HTTPRouteGroup": {
		"spec.matches[].headers": {ingest.HeaderMatched, "{matches: [{name: a, headers: [{NAME: b}]}]}"},
	}, "UpstreamTrafficSetting": {}, "HTTPRoute": {}, "GRPCRoute": {}}
	local, global := "{local: {http: {requests: 1, unit: second, HEADERS}}}", "{global: {http: {extensionService: {name: limits}, domain: a, descriptors: [{entries: [ENTRY]}]}}}"
	perRoute, globalRoute := "{local: {requests: 1, unit: second, HEADERS}}", "{global: {descriptors: [{entries: [ENTRY]}]}}"
	headers, counted, matched := "responseHeadersToAdd: [{name: NAME, value: a}]", "{requestHeader: {name: NAME, key: a}}", "{headerValueMatch: {value: a, headers: [{name: NAME}]}}"
	addLimits := func(path, localPath, globalPath, local, global, around string) {
		add := func(name string, use ingest.HeaderUse, limit string) {
			fields["UpstreamTrafficSetting"][path+name] = headerField{use, strings.Replace(around, "LIMIT", limit, 1)}
		}
		add(localPath+".responseHeadersToAdd[].name", ingest.HeaderChanged, strings.Replace(local, "HEADERS", headers, 1))
		add(globalPath+".descriptors[].entries[].requestHeader.name", ingest.HeaderCounted, strings.Replace(global, "ENTRY", counted, 1))
		add(globalPath+".descriptors[].entries[].headerValueMatch.headers[].name", ingest.HeaderCounted, strings.Replace(global, "ENTRY", matched, 1))
	}
	addLimits("spec.rateLimit", ".local.http", ".global.http", local, global, "{host: web.shop, rateLimit: LIMIT}")
	addLimits("spec.httpRoutes[].rateLimit", ".local", ".global", perRoute, globalRoute,
		"{host: web.shop, rateLimit: "+strings.Replace(global, "ENTRY", "{genericKey: {value: a}}", 1)+", httpRoutes: [{path: /a, rateLimit: LIMIT}]}")
	for _, kind := range []string{"HTTPRoute", "GRPCRoute"} {
		addRouteFields(fields[kind])
	}
	for field := range fields["GRPCRoute"] {
		if strings.Contains(field, "cors") || strings.Contains(field, "externalAuth") {
			delete(fields["GRPCRoute"], field)
		}
	}
	return fields
}

// addRouteFields adds the fields of an HTTPRoute. Those of a GRPCRoute have the same form.
func addRouteFields(fields map[string]headerField) {
	const parent, backend = "parentRefs: [{kind: Service, group: '', name: web}]", "{name: web, port: 80}"
	rule := func(rule string) string {
		return "{" + parent + ", rules: [{backendRefs: [" + backend + "], " + rule + "}]}"
	}
	addFilter := func(field string, use ingest.HeaderUse, filter string) {
		fields["spec.rules[].filters[]."+field] = headerField{use, rule("filters: [" + filter + "]")}
		fields["spec.rules[].backendRefs[].filters[]."+field] = headerField{use, "{" + parent + ", rules: [{backendRefs: [{name: web, port: 80, filters: [" + filter + "]}]}]}"}
	}
	for _, message := range []string{"Request", "Response"} {
		field := strings.ToLower(message) + "HeaderModifier"
		filter := "{type: " + message + "HeaderModifier, " + field + ": EDIT}"
		addFilter(field+".set[].name", ingest.HeaderChanged, strings.Replace(filter, "EDIT", "{set: [{name: NAME, value: a}]}", 1))
		addFilter(field+".add[].name", ingest.HeaderChanged, strings.Replace(filter, "EDIT", "{add: [{name: NAME, value: a}]}", 1))
		addFilter(field+".remove[]", ingest.HeaderChanged, strings.Replace(filter, "EDIT", "{remove: [NAME]}", 1))
	}
	addFilter("cors.allowHeaders[]", "", "{type: CORS, cors: {allowHeaders: [NAME]}}")
	addFilter("cors.exposeHeaders[]", "", "{type: CORS, cors: {exposeHeaders: [NAME]}}")
	for _, field := range []string{"http.allowedHeaders", "http.allowedResponseHeaders", "grpc.allowedHeaders"} {
		protocol, list, _ := strings.Cut(field, ".")
		addFilter("externalAuth."+field+"[]", "", "{type: ExternalAuth, externalAuth: {protocol: "+strings.ToUpper(protocol)+", backendRef: "+backend+", "+protocol+": {"+list+": [NAME]}}}")
	}
	fields["spec.rules[].matches[].headers[].name"] = headerField{ingest.HeaderMatched, rule("matches: [{headers: [{name: NAME, value: a}]}]")}
	fields["spec.rules[].sessionPersistence.sessionName"] = headerField{ingest.HeaderChanged, rule("sessionPersistence: {type: Header, sessionName: NAME}")}
	// Release 1.7 has this field.
	fields["spec.rules[].sessionPersistence.header.name"] = headerField{ingest.HeaderChanged, rule("sessionPersistence: {type: Header, header: {name: NAME}}")}
}

// TestEachHeaderNameIsChecked finds the fields of all definitions that take the name of a header, and checks that each of them rejects those that it may not
// have. A new field fails the test until it has a row, and the row fails until the field is checked with HeaderNameProblem.
func TestEachHeaderNameIsChecked(t *testing.T) {
	known, found := headerFields(), append(fieldsOfDefinitions(t), fieldsOfTheGatewayAPI(t)...)
	if len(found) < 40 {
		t.Errorf("only %d fields were found", len(found))
	}
	for _, field := range found {
		if _, ok := known[field.kind][field.path]; !ok {
			t.Errorf("%s %s has the name of a header, and no row of headerFields", field.kind, field.path)
		}
	}
	for kind, fields := range known {
		for path, field := range fields {
			name, text := "Content-Length", "it belongs to the connection or to the message itself"
			switch field.use {
			case ingest.HeaderMatched, ingest.HeaderCounted:
				name, text = `"a b"`, "it is not the name of a header"
			case "":
				text = "the mesh does not support the filter"
			}
			if got := readAsText(t, kind, strings.Replace(field.spec, "NAME", name, 1)); !strings.Contains(got, text) {
				t.Errorf("%s %s with the header %s: %s\nwant %q", kind, path, name, got, text)
			}
			if got := readAsText(t, kind, strings.Replace(field.spec, "NAME", "x-own", 1)); field.use != "" && strings.Contains(got, text) {
				t.Errorf("%s %s with a header of an application: %s", kind, path, got)
			}
		}
	}
}

// readAsText returns the entry and the problems of an object.
func readAsText(t *testing.T, kind, spec string) string {
	t.Helper()
	u := ingesttest.Object(t, spec)
	as := func(entry any, problems []ingest.Problem) string { return fmt.Sprintf("%+v %+v", entry, problems) }
	switch kind {
	case "ExternalAuthorization":
		entry, problems := extauthz.Read(u)
		return as(entry, problems)
	case "HTTPRouteGroup":
		entry, problems := ingest.HTTPRouteGroup(u)
		return as(entry, problems)
	case "UpstreamTrafficSetting":
		entry, problems := upstream.Read(u)
		return as(entry, problems)
	case "HTTPRoute":
		entry, problems := ingest.HTTPRoute(u)
		return as(entry, problems)
	case "GRPCRoute":
		entry, problems := ingest.GRPCRoute(u)
		return as(entry, problems)
	}
	t.Fatalf("no reader for %s", kind)
	return ""
}

// foundField is a field of a definition, such as "spec.rules[].filters[]".
type foundField struct{ kind, path string }

// isValue are the last parts of fields about headers that have no name of one.
var isValue = regexp.MustCompile(`\.(value|exact|prefix|suffix|regex|contains|key|type|lifetimeType)$`)

func takesHeader(path, description string) bool {
	named := regexp.MustCompile(`(?i)header|cookie|trailer|sessionName`)
	if strings.HasSuffix(path, "queryParams[].name") {
		return false // it has the Go type of headers
	}
	return strings.HasPrefix(path, "spec") && !isValue.MatchString(path) && (named.MatchString(path) || named.MatchString(description))
}

// fieldsOfDefinitions returns those texts of the project's definitions and of SMI whose names or descriptions are about headers.
func fieldsOfDefinitions(t *testing.T) []foundField {
	t.Helper()
	var found []foundField
	for _, files := range []fs.FS{crd.Own, crd.SMI} {
		names, err := fs.Glob(files, "*/*.yaml")
		if err != nil || len(names) == 0 {
			t.Fatalf("definitions %v: %v", names, err)
		}
		for _, name := range names {
			text, err := fs.ReadFile(files, name)
			if err != nil {
				t.Fatal(err)
			}
			var definition apiextensionsv1.CustomResourceDefinition
			if err := yaml.Unmarshal(text, &definition); err != nil {
				t.Fatal(err)
			}
			for _, version := range definition.Spec.Versions {
				eachText(version.Schema.OpenAPIV3Schema, "", func(path string, text *apiextensionsv1.JSONSchemaProps) {
					if len(text.Enum) == 0 && takesHeader(path, text.Description) {
						found = append(found, foundField{definition.Spec.Names.Kind, path})
					}
				})
			}
		}
	}
	return found
}

// eachText calls visit for each field of a schema with a text, or of any type.
func eachText(schema *apiextensionsv1.JSONSchemaProps, path string, visit func(string, *apiextensionsv1.JSONSchemaProps)) {
	for name := range schema.Properties {
		field := schema.Properties[name]
		eachText(&field, strings.TrimPrefix(path+"."+name, "."), visit)
	}
	if schema.AdditionalProperties != nil && schema.AdditionalProperties.Schema != nil {
		eachText(schema.AdditionalProperties.Schema, path+".*", visit)
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		eachText(schema.Items.Schema, path+"[]", visit)
	}
	isAny := schema.Type == "" && len(schema.Properties) == 0
	if schema.Type == "string" || isAny || schema.XPreserveUnknownFields != nil {
		visit(path, schema)
	}
}

// fieldsOfTheGatewayAPI returns those texts of the kinds of the Gateway API whose names or types are about headers.
func fieldsOfTheGatewayAPI(t *testing.T) []foundField {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := gatewayv1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	var found []foundField
	for kind, object := range scheme.KnownTypes(schema.GroupVersion(gatewayv1.GroupVersion)) {
		if spec, ok := object.FieldByName("Spec"); ok {
			eachTextOfType(spec.Type, "spec", func(path string, text reflect.Type) {
				if field := (foundField{kind, path}); takesHeader(path, text.Name()) && !slices.Contains(found, field) {
					found = append(found, field)
				}
			})
		}
	}
	return found
}

func eachTextOfType(of reflect.Type, path string, visit func(string, reflect.Type)) {
	switch of.Kind() {
	case reflect.Pointer:
		eachTextOfType(of.Elem(), path, visit)
	case reflect.Slice:
		eachTextOfType(of.Elem(), path+"[]", visit)
	case reflect.Map:
		eachTextOfType(of.Elem(), path+".*", visit)
	case reflect.String:
		visit(path, of)
	case reflect.Struct:
		for i := range of.NumField() {
			name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name != "" {
				name = "." + name
			} else if !strings.Contains(options, "inline") {
				continue
			}
			eachTextOfType(of.Field(i).Type, path+name, visit)
		}
	}
}
