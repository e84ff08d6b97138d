package crdreference

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"text/template"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

//go:embed page.md.tmpl
var pageTemplate string

//go:embed index.md.tmpl
var indexTemplate string

// File returns the name of the page of a kind.
func (k Kind) File() string { return strings.ToLower(k.Name) + ".md" }

// Summary is the first sentence of the description.
func (k Kind) Summary() string {
	if len(k.Versions) == 0 {
		return ""
	}
	description := k.Versions[0].Description
	if end := strings.Index(description, ". "); end >= 0 {
		return description[:end+1]
	}
	return description
}

// Page returns the Markdown page of a kind.
func Page(kind Kind) ([]byte, error) { return render("page", pageTemplate, kind) }

// Index returns the Markdown page that lists all kinds by group.
func Index(kinds []Kind) ([]byte, error) { return render("index", indexTemplate, kinds) }

func render(name, text string, data any) ([]byte, error) {
	functions := template.FuncMap{"text": escape, "cell": escapeCell, "join": strings.Join}
	parsed, err := template.New(name).Funcs(functions).Parse(text)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("cannot write the %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// Pages returns the pages of all definitions in the file systems, and README.md that lists them, by file name.
func Pages(definitions ...fs.FS) (map[string][]byte, error) {
	kinds, err := ReadKinds(definitions...)
	if err != nil {
		return nil, err
	}
	pages := map[string][]byte{}
	for _, kind := range kinds {
		if _, there := pages[kind.File()]; there {
			return nil, fmt.Errorf("two kinds have the name %s: their pages need different names", kind.Name)
		}
		if pages[kind.File()], err = Page(kind); err != nil {
			return nil, err
		}
	}
	pages["README.md"], err = Index(kinds)
	return pages, err
}

// ReadKinds parses every YAML file of the file systems. The kinds are sorted by group and name.
func ReadKinds(definitions ...fs.FS) ([]Kind, error) {
	var kinds []Kind
	for _, definition := range definitions {
		names, err := fs.Glob(definition, "*/*.yaml")
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			content, err := fs.ReadFile(definition, name)
			if err != nil {
				return nil, err
			}
			kind, err := Parse(content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			kinds = append(kinds, kind)
		}
	}
	slices.SortFunc(kinds, func(a, b Kind) int { return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Name, b.Name)) })
	return kinds, nil
}

// escape returns text in which Markdown shows every character outside of code spans as it is. Inside of code spans, Markdown has no
// escapes.
func escape(text string) string {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		// The last backtick opens no code span.
		last := len(parts) - 1
		parts = append(parts[:last-1], parts[last-1]+"\\`"+parts[last])
	}
	special := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "*", `\*`, "_", `\_`, "[", `\[`, "]", `\]`)
	for i := 0; i < len(parts); i += 2 {
		parts[i] = special.Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// escapeCell returns text for a cell of a table, which a vertical bar would end.
func escapeCell(text string) string { return strings.ReplaceAll(escape(text), "|", `\|`) }

// Kind is one kind of the API, with all its served versions.
type Kind struct {
	Name       string
	Group      string
	Plural     string
	ShortNames []string
	Scope      string
	Versions   []Version
}

// Version is one served version of a kind.
type Version struct {
	Name string
	// Deprecation is what the API server answers to requests of this version. It is empty for a version that is not deprecated.
	Deprecation string
	Stored      bool
	Description string
	// Rules are the messages or expressions of the rules for the whole object.
	Rules []string
	// Same is the stored version, if it has the same fields, and empty otherwise.
	Same string
	// Spec and Status are the fields that users and the mesh write, in the order of their paths.
	Spec, Status []Field
}

// Parse reads one CustomResourceDefinition.
func Parse(definition []byte) (Kind, error) {
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(definition, &crd); err != nil {
		return Kind{}, fmt.Errorf("the definition is no CustomResourceDefinition: %w", err)
	}
	kind := Kind{
		Name:       crd.Spec.Names.Kind,
		Group:      crd.Spec.Group,
		Plural:     crd.Spec.Names.Plural,
		ShortNames: crd.Spec.Names.ShortNames,
		Scope:      string(crd.Spec.Scope),
	}
	for _, version := range crd.Spec.Versions {
		if !version.Served {
			continue
		}
		if version.Schema == nil || version.Schema.OpenAPIV3Schema == nil {
			return Kind{}, fmt.Errorf("version %s of %s has no schema", version.Name, crd.Name)
		}
		kind.Versions = append(kind.Versions, newVersion(version))
	}
	slices.SortStableFunc(kind.Versions, storedFirst)
	for i := 1; i < len(kind.Versions); i++ {
		first, version := kind.Versions[0], &kind.Versions[i]
		if reflect.DeepEqual(first.Spec, version.Spec) && reflect.DeepEqual(first.Status, version.Status) {
			version.Same = first.Name
		}
	}
	return kind, nil
}

// storedFirst puts the version that new objects should use before the others.
func storedFirst(a, b Version) int {
	switch {
	case a.Stored == b.Stored:
		return 0
	case a.Stored:
		return -1
	}
	return 1
}

func newVersion(version apiextensionsv1.CustomResourceDefinitionVersion) Version {
	root := version.Schema.OpenAPIV3Schema
	out := Version{Name: version.Name, Stored: version.Storage, Description: joinLines(root.Description), Rules: formatRules(root)}
	if version.Deprecated {
		out.Deprecation = "This version is deprecated."
		if version.DeprecationWarning != nil {
			out.Deprecation = *version.DeprecationWarning
		}
	}
	for _, field := range appendFields(nil, "", root) {
		top, _, _ := strings.Cut(field.Path, ".")
		switch top {
		case "apiVersion", "kind", "metadata":
		case "status":
			out.Status = append(out.Status, field)
		default:
			out.Spec = append(out.Spec, field)
		}
	}
	return out
}
