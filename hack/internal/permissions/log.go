package permissions

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
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
