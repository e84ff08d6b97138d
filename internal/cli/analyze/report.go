package analyze

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/diagnosis"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Report is the result of an analysis.
type Report struct {
	Findings []diagnosis.Finding `json:"findings"`
	// Suppressed counts the findings that annotations suppress.
	Suppressed int `json:"suppressed"`
	// Unread describes objects that could not be read.
	Unread []string `json:"notRead,omitempty"`
	// Objects counts the analyzed objects.
	Objects int `json:"objects"`

	// namespaces are the namespaces of the analyzed objects. The value is true for those of the mesh.
	namespaces map[string]bool
}

// Namespace reports whether a namespace has analyzed objects, and whether it is part of the mesh.
func (r *Report) Namespace(name string) (exists, member bool) {
	member, exists = r.namespaces[name]
	return exists, member
}

// Keep drops findings below a severity, and findings in other namespaces if namespace is set.
func (r *Report) Keep(least diagnosis.Severity, namespace string) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f diagnosis.Finding) bool {
		elsewhere := namespace != "" && f.Namespace != namespace && (f.Kind != "Namespace" || f.Name != namespace)
		return elsewhere || f.Severity.Compare(least) < 0
	})
}

// ignores returns true if the annotation of an object suppresses a code.
func ignores(object *unstructured.Unstructured, code string) bool {
	if object == nil {
		return false
	}
	for _, ignored := range strings.Split(object.GetAnnotations()[names.AnalyzeIgnoreAnnotation], ",") {
		if ignored = strings.TrimSpace(ignored); ignored == "*" || strings.EqualFold(ignored, code) {
			return true
		}
	}
	return false
}
