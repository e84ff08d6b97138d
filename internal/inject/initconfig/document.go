package initconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/envoy/bootstrap"
	"github.com/openservicemesh/osm-operator/internal/redirect"
)

// Version is the version of the documents that this package writes. Fields may be added to a version; a field that
// changes its meaning makes a new one.
const Version = 1

// Flag introduces the document in the arguments of osm-init.
const Flag = "--config="

// Document is all that osm-init needs to know beyond what the pod itself can tell.
type Document struct {
	Version   int              `json:"version"`
	Bootstrap bootstrap.Config `json:"bootstrap"`
	Redirect  redirect.Config  `json:"redirect"`
}

// Arguments are the arguments of osm-init that carry a document.
func Arguments(d Document) ([]string, error) {
	d.Version = Version
	encoded, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("the arguments of osm-init cannot be written as JSON: %w", err)
	}
	// The kubelet would replace $(NAME) in an argument, and a path of a probe may hold that. A dollar sign occurs in
	// JSON only inside strings, where it can be written as a number.
	return []string{Flag + strings.ReplaceAll(string(encoded), "$", `\u0024`)}, nil
}

// Parse reads the document from arguments. It refuses fields it does not know: a document from a newer injector may
// ask for something that this program would silently leave out.
func Parse(args []string) (Document, error) {
	if len(args) == 0 {
		return Document{}, fmt.Errorf("osm-init has no arguments: it takes one, %s<JSON document>, which the injector writes", Flag)
	}
	encoded, found := strings.CutPrefix(args[0], Flag)
	if !found {
		return Document{}, fmt.Errorf("the argument %q is not known: osm-init takes one argument, %s<JSON document>", args[0], Flag)
	}
	return decode([]byte(encoded))
}

func decode(encoded []byte) (Document, error) {
	// The version is read first, so that a document of another version is called that and not a spelling mistake.
	var head struct{ Version int }
	if err := json.Unmarshal(encoded, &head); err != nil {
		return Document{}, fmt.Errorf("the document after %s is not JSON: %w", Flag, err)
	}
	if head.Version != Version {
		return Document{}, fmt.Errorf("the document after %s has version %d and this osm-init reads version %d: "+
			"use an init container image of the same release as the injector's, and create the pod again", Flag, head.Version, Version)
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.DisallowUnknownFields()
	var d Document
	if err := decoder.Decode(&d); err != nil {
		return Document{}, fmt.Errorf("the document after %s cannot be read, the injector may be newer than this osm-init: %w", Flag, err)
	}
	return d, nil
}
