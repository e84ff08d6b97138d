package initconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/injector/redirect"
	"github.com/openservicemesh/osm-operator/internal/mesh/envoy/bootstrap"
)

// Version is the version of the documents that this package writes. New fields keep the version; a changed meaning
// requires a new one.
const Version = 1

// Flag is the prefix of the document in the arguments of osm-init.
const Flag = "--config="

// Document is the configuration of osm-init that it cannot read from the pod itself.
type Document struct {
	Version   int              `json:"version"`
	Bootstrap bootstrap.Config `json:"bootstrap"`
	Redirect  redirect.Config  `json:"redirect"`
}

// Arguments returns the arguments of osm-init that carry a document.
func Arguments(d Document) ([]string, error) {
	d.Version = Version
	encoded, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("the arguments of osm-init cannot be written as JSON: %w", err)
	}
	// The kubelet expands $(NAME) in arguments, and the path of a probe may contain it. In JSON a dollar sign occurs
	// only inside strings, where an escape sequence can replace it.
	return []string{Flag + strings.ReplaceAll(string(encoded), "$", `\u0024`)}, nil
}

// Parse reads the document from the arguments of osm-init. It rejects unknown fields, because a newer injector may
// require something that this version would silently omit.
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
	// The version is checked first, so that another version is not reported as an unknown field.
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
