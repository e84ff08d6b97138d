package permissions

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Request is a request of a service account.
type Request struct {
	// Account is the service account, as NAMESPACE/NAME.
	Account string
	Verb    string
	Group   string
	// Resource includes the subresource, such as pods/status. It is empty for a request without a resource, which has a Path.
	Resource  string
	Namespace string
	Name      string
	Path      string
	// Created is true if the request created its object. An apply is a patch, and needs the permission to create then.
	Created bool
	// Denied is true if no role allows the request.
	Denied bool
	// Time is when the API server received the request.
	Time time.Time
}

// String describes the request like "osm-system/osm-controller may not list pods".
func (r Request) String() string {
	if r.Resource == "" {
		return fmt.Sprintf("%s: %s %s", r.Account, r.Verb, r.Path)
	}
	text := fmt.Sprintf("%s: %s %s", r.Account, r.Verb, r.Resource)
	if r.Group != "" {
		text += "." + r.Group
	}
	if r.Name != "" {
		text += " " + r.Name
	}
	if r.Namespace != "" {
		text += " in " + r.Namespace
	}
	return text
}

// event is what is read of an audit event.
type event struct {
	Verb       string
	RequestURI string
	User       struct{ Username string }
	ObjectRef  *struct {
		APIGroup, Resource, Subresource, Namespace, Name string
	}
	ResponseStatus           struct{ Code int }
	RequestReceivedTimestamp time.Time
	Annotations              map[string]string
}

// decision is the annotation with the result of the authorization.
const decision = "authorization.k8s.io/decision"

const accountPrefix = "system:serviceaccount:"

// ReadLog returns the authorized and the denied requests of service accounts. A request that did not reach authorization is left out. The last
// line may be incomplete while the API server runs.
func ReadLog(log io.Reader) ([]Request, error) {
	var requests []Request
	reader := bufio.NewReader(log)
	for line := 1; ; line++ {
		text, err := reader.ReadBytes('\n')
		if err == io.EOF {
			return requests, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the audit log cannot be read: %w", err)
		}
		var e event
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("line %d of the audit log is not an event: %w", line, err)
		}
		if request, ok := requestOf(e); ok {
			requests = append(requests, request)
		}
	}
}

func requestOf(e event) (Request, bool) {
	account, ok := strings.CutPrefix(e.User.Username, accountPrefix)
	if !ok || e.Annotations[decision] == "" {
		return Request{}, false
	}
	r := Request{
		Account: strings.Replace(account, ":", "/", 1), Verb: e.Verb, Denied: e.Annotations[decision] == "forbid",
		Created: e.ResponseStatus.Code == http.StatusCreated, Time: e.RequestReceivedTimestamp,
	}
	if e.ObjectRef == nil {
		if path, err := url.Parse(e.RequestURI); err == nil {
			r.Path = path.Path
		}
		return r, true
	}
	r.Group, r.Resource, r.Namespace, r.Name = e.ObjectRef.APIGroup, e.ObjectRef.Resource, e.ObjectRef.Namespace, e.ObjectRef.Name
	if e.ObjectRef.Subresource != "" {
		r.Resource += "/" + e.ObjectRef.Subresource
	}
	return r, true
}

// Expected are requests that may be denied.
type Expected struct {
	// Account is the name of the service account, in any namespace.
	Account string `json:"account"`
	Verb    string `json:"verb"`
	// Group is empty for the core group.
	Group    string `json:"group,omitempty"`
	Resource string `json:"resource"`
	// Reason is why they may be denied.
	Reason string `json:"reason"`
}

// Rare are permissions that only rare situations need.
type Rare struct {
	// Account is the name of the service account.
	Account string   `json:"account"`
	Verbs   []string `json:"verbs"`
	// Group is empty for the core group.
	Group     string   `json:"group,omitempty"`
	Resources []string `json:"resources,omitempty"`
	// Names are the only names; empty for all permissions of the resources.
	Names []string `json:"names,omitempty"`
	Paths []string `json:"paths,omitempty"`
	// Reason is what needs them.
	Reason string `json:"reason"`
}

// includes reports whether a permission of an account is in the entry.
func (r Rare) includes(account string, p Permission) bool {
	if r.Account != account || !slices.Contains(r.Verbs, p.Verb) {
		return false
	}
	if p.Path != "" {
		return slices.Contains(r.Paths, p.Path)
	}
	return r.Group == p.Group && slices.Contains(r.Resources, p.Resource) && (len(r.Names) == 0 || slices.Contains(r.Names, p.Name))
}

// Explanations are the requests that may be denied, and the permissions that may be unused.
type Explanations struct {
	Denied []Expected `json:"denied"`
	Unused []Rare     `json:"unused"`
}

// ReadExplanations reads hack/permissions.yaml. Each entry needs a reason.
func ReadExplanations(file string) (Explanations, error) {
	var all Explanations
	content, err := os.ReadFile(file)
	if err != nil {
		return all, err
	}
	if err := yaml.UnmarshalStrict(content, &all); err != nil {
		return all, fmt.Errorf("%s: %w", file, err)
	}
	for _, e := range all.Denied {
		if e.Account == "" || e.Verb == "" || e.Resource == "" || e.Reason == "" {
			return all, fmt.Errorf("%s: the entry %+v has no account, verb, resource or reason", file, e)
		}
	}
	for _, r := range all.Unused {
		if r.Account == "" || len(r.Verbs) == 0 || len(r.Resources)+len(r.Paths) == 0 || r.Reason == "" {
			return all, fmt.Errorf("%s: the entry %+v has no account, verbs, resources, paths or reason", file, r)
		}
	}
	return all, nil
}

// Stale returns the entries of unused permissions that no account has.
func Stale(listed []Rare, held map[string][]Permission) []Rare {
	return slices.DeleteFunc(slices.Clone(listed), func(r Rare) bool {
		return slices.ContainsFunc(held[r.Account], func(p Permission) bool { return r.includes(r.Account, p) })
	})
}

// canarySuffix is the version in the names of a canary's accounts, such as osm-controller-v0-2-0.
var canarySuffix = regexp.MustCompile(`-v\d+-\d+-\d+.*$`)

// discovery matches the paths that roles of Kubernetes allow to everybody. An API server rejects them until it has read these roles.
var discovery = regexp.MustCompile(`^/(apis?|openapi|version)(/|$)`)

// Denied returns the denied requests of accounts whose name starts with a prefix, without duplicates and sorted. It leaves out expected requests,
// and those that the account's roles in the manifests allow: tests delete roles, and delete an account before its pods.
func Denied(requests []Request, prefix string, held map[string][]Permission, expected []Expected) []string {
	var denied []string
	for _, r := range requests {
		_, name, _ := strings.Cut(r.Account, "/")
		name = canarySuffix.ReplaceAllString(name, "")
		known := slices.ContainsFunc(expected, func(e Expected) bool {
			return e.Account == name && e.Verb == r.Verb && e.Group == r.Group && e.Resource == r.Resource
		})
		inSample := r
		inSample.Name = sampleName(r.Name)
		allowed := slices.ContainsFunc(held[name], func(p Permission) bool { return p.Allows(inSample) })
		if r.Denied && strings.HasPrefix(name, prefix) && !known && !allowed && !discovery.MatchString(r.Path) {
			denied = append(denied, r.String())
		}
	}
	slices.Sort(denied)
	return slices.Compact(denied)
}
