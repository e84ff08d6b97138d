package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
)

// Severity is the severity of a finding.
type Severity string

// Severities of findings.
const (
	// OK means that everything is as intended.
	OK Severity = "OK"
	// Info means that the configuration may be intended.
	Info Severity = "Info"
	// Warning means that the configuration works, but perhaps not as intended.
	Warning Severity = "Warning"
	// Unknown means that the check could not run.
	Unknown Severity = "Unknown"
	// Error means that something does not work or is ignored.
	Error Severity = "Error"
)

// ascending has all severities in ascending order.
var ascending = []Severity{OK, Info, Warning, Unknown, Error}

// ParseSeverity returns the severity of a problem: info, warning or error, in any case.
func ParseSeverity(text string) (severity Severity, valid bool) {
	for _, s := range []Severity{Info, Warning, Error} {
		if strings.EqualFold(string(s), text) {
			return s, true
		}
	}
	return "", false
}

// Compare is negative if s is lower than other, and positive if it is higher.
func (s Severity) Compare(other Severity) int {
	return slices.Index(ascending, s) - slices.Index(ascending, other)
}

// Finding is the result of a check, or a problem of an object.
type Finding struct {
	// Severity is the highest one of Parts, if there are any.
	Severity Severity `json:"severity"`
	// Code identifies the kind of problem: see docs/analysis.md. Findings of `osm analyze` have one.
	Code string `json:"code,omitempty"`
	// Kind, Namespace and Name identify the object, if the finding is about one. Cluster-scoped objects have no namespace.
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Check is what was verified: a statement, or the title of Parts. Findings without it are not results of one check.
	Check string `json:"check,omitempty"`
	// Message describes what was found. It may be empty for a check whose statement is true.
	Message string `json:"message,omitempty"`
	// Remedy is what to do. It is empty if nothing is needed, or if the message has it.
	Remedy string `json:"remedy,omitempty"`
	// Parts are the results of which this one consists.
	Parts []Finding `json:"parts,omitempty"`
}

// Pass returns a finding without a problem.
func Pass(format string, args ...any) Finding {
	return Finding{Severity: OK, Message: fmt.Sprintf(format, args...)}
}

// Warn returns a finding of severity Warning.
func Warn(remedy, format string, args ...any) Finding {
	return Finding{Severity: Warning, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Fail returns a finding of severity Error.
func Fail(remedy, format string, args ...any) Finding {
	return Finding{Severity: Error, Message: fmt.Sprintf(format, args...), Remedy: remedy}
}

// Unread returns a finding of severity Unknown, for what could not be read.
func Unread(what string, err error) Finding {
	f := Finding{Severity: Unknown, Message: fmt.Sprintf("could not read %s: %v", what, err)}
	if apierrors.IsForbidden(err) {
		f.Remedy = "ask a cluster administrator to run this command, or for read permission"
	}
	return f
}

// OfProblem returns the finding of a problem of an object.
func OfProblem(p ingest.Problem) Finding {
	f := Fail("", "%s: %s", p.Reason, p.StatusMessage())
	if p.InForce() {
		f.Severity = Warning
	}
	return f
}

// About returns the finding with the name of an object.
func (f Finding) About(object *unstructured.Unstructured) Finding {
	f.Kind, f.Namespace, f.Name = object.GetKind(), object.GetNamespace(), object.GetName()
	return f
}

// Group combines findings under a title.
func Group(title string, parts ...Finding) Finding {
	return Finding{Check: title, Severity: Worst(parts), Parts: parts}
}

// Worst returns the highest severity. It is OK without findings.
func Worst(findings []Finding) Severity {
	worst := OK
	for _, f := range findings {
		if f.Severity.Compare(worst) > 0 {
			worst = f.Severity
		}
	}
	return worst
}

// Object returns "<kind> <namespace>/<name>".
func (f Finding) Object() string {
	if f.Namespace == "" {
		return f.Kind + " " + f.Name
	}
	return f.Kind + " " + f.Namespace + "/" + f.Name
}

// Equal returns true for two findings of the same problem of the same object.
func (f Finding) Equal(other Finding) bool { return f.Compare(other) == 0 }

// Compare sorts by descending severity, then by object, code and message.
func (f Finding) Compare(other Finding) int {
	return cmp.Or(
		other.Severity.Compare(f.Severity),
		strings.Compare(f.Kind, other.Kind), strings.Compare(f.Namespace, other.Namespace), strings.Compare(f.Name, other.Name),
		strings.Compare(f.Code, other.Code), strings.Compare(f.Message, other.Message),
	)
}
