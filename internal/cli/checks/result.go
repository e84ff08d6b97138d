package checks

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/version"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Status is the status of a check.
type Status string

// Statuses of a check.
const (
	OK Status = "ok"
	// Warning means that the mesh works, but perhaps not as intended.
	Warning Status = "warning"
	Failed  Status = "failed"
	// Unknown means that the check could not run.
	Unknown Status = "unknown"
)

// Result is the result of one check.
type Result struct {
	Status Status `json:"status"`
	// What describes the finding.
	What string `json:"what"`
	// Do is the remedy. It is empty if none is needed.
	Do string `json:"do,omitempty"`
}

// Group is a titled list of results.
type Group struct {
	Title   string   `json:"title"`
	Results []Result `json:"results"`
}

func ok(format string, args ...any) Result {
	return Result{Status: OK, What: fmt.Sprintf(format, args...)}
}

func failed(do, format string, args ...any) Result {
	return Result{Status: Failed, What: fmt.Sprintf(format, args...), Do: do}
}

func warning(do, format string, args ...any) Result {
	return Result{Status: Warning, What: fmt.Sprintf(format, args...), Do: do}
}

// unreadable returns an Unknown result for a failed read.
func unreadable(subject string, err error) Result {
	r := Result{Status: Unknown, What: fmt.Sprintf("could not read %s: %v", subject, err)}
	if apierrors.IsForbidden(err) {
		r.Do = "ask a cluster administrator to run this check, or for read permission"
	}
	return r
}

// Worst returns the worst status of all results, in the order Failed, Unknown, Warning, OK.
func Worst(groups []Group) Status {
	order := []Status{OK, Warning, Unknown, Failed}
	worst := 0
	for _, g := range groups {
		for _, r := range g.Results {
			worst = max(worst, slices.Index(order, r.Status))
		}
	}
	return order[worst]
}

// Print writes groups as text.
func Print(w io.Writer, groups []Group) {
	for i, g := range groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintln(w, g.Title)
		for _, r := range g.Results {
			fmt.Fprintf(w, "  %-9s %s\n", "["+string(r.Status)+"]", indent(r.What))
			if r.Do != "" {
				fmt.Fprintf(w, "  %-9s -> %s\n", "", indent(r.Do))
			}
		}
	}
}

func indent(text string) string { return strings.ReplaceAll(text, "\n", "\n            ") }

// Subject is the mesh to check.
type Subject struct {
	Client client.Client
	// Mesh is the name of the mesh, Namespace the namespace of its control plane.
	Mesh, Namespace string
	// CanarySuffix is the name suffix of the canary's Deployments, or empty.
	CanarySuffix string
	// Kubernetes returns the version of the API server.
	Kubernetes func() (*version.Info, error)
	// Ask sends a request to an HTTP server in a pod. An error means that the pod is not healthy.
	Ask func(ctx context.Context, namespace, pod string, port int, path string) error
	Now time.Time
}
