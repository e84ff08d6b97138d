package analyze

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Severity is the severity of a finding.
type Severity string

// Severities in ascending order.
const (
	// Info means that the configuration may be intended.
	Info Severity = "Info"
	// Warning means that the configuration works, but perhaps not as intended.
	Warning Severity = "Warning"
	// Error means that the configuration does not work or is ignored.
	Error Severity = "Error"
)

// Severities lists all severities in ascending order.
var Severities = []Severity{Info, Warning, Error}

// AtLeast returns true if s is the same severity as other, or higher.
func (s Severity) AtLeast(other Severity) bool {
	return slices.Index(Severities, s) >= slices.Index(Severities, other)
}

// Finding is a problem of an object.
type Finding struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	// Kind, Namespace and Name identify the object. Cluster-scoped objects have no namespace.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Message describes the problem and the remedy.
	Message string `json:"message"`
}

// Object returns "<kind> <namespace>/<name>".
func (f Finding) Object() string {
	if f.Namespace == "" {
		return f.Kind + " " + f.Name
	}
	return f.Kind + " " + f.Namespace + "/" + f.Name
}

// String formats the finding as a line of text.
func (f Finding) String() string {
	return fmt.Sprintf("%s [%s] (%s) %s", f.Severity, f.Code, f.Object(), f.Message)
}

// compare sorts by descending severity, then by object, code and message.
func (f Finding) compare(other Finding) int {
	return cmp.Or(
		slices.Index(Severities, other.Severity)-slices.Index(Severities, f.Severity),
		strings.Compare(f.Kind, other.Kind), strings.Compare(f.Namespace, other.Namespace), strings.Compare(f.Name, other.Name),
		strings.Compare(f.Code, other.Code), strings.Compare(f.Message, other.Message),
	)
}

// Report is the result of an analysis.
type Report struct {
	Findings []Finding `json:"findings"`
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

// Worst returns the highest severity, or "" without findings.
func (r *Report) Worst() Severity {
	if len(r.Findings) == 0 {
		return ""
	}
	return r.Findings[0].Severity
}

// Keep drops findings below a severity, and findings in other namespaces if namespace is set.
func (r *Report) Keep(least Severity, namespace string) {
	r.Findings = slices.DeleteFunc(r.Findings, func(f Finding) bool {
		elsewhere := namespace != "" && f.Namespace != namespace && (f.Kind != "Namespace" || f.Name != namespace)
		return elsewhere || !f.Severity.AtLeast(least)
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
