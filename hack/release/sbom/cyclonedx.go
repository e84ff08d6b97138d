package sbom

import (
	"bytes"
	"fmt"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// CycloneDX returns the document in CycloneDX as JSON.
func CycloneDX(s Subject) ([]byte, error) {
	kind := cyclonedx.ComponentTypeApplication
	if s.IsImage {
		kind = cyclonedx.ComponentTypeContainer
	}
	bom := cyclonedx.NewBOM()
	const subject = "subject"
	bom.Metadata = &cyclonedx.Metadata{
		Timestamp: s.Created.UTC().Format(time.RFC3339),
		Tools:     &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: creator}}},
		Component: &cyclonedx.Component{BOMRef: subject, Type: kind, Name: s.Name, Version: s.Version, Hashes: hashes(s.SHA256)},
	}
	var components []cyclonedx.Component
	var urls []string
	for _, c := range s.Components {
		components = append(components, cyclonedx.Component{
			BOMRef: c.URL, Type: cyclonedx.ComponentTypeLibrary, Name: c.Name, Version: c.Version, PackageURL: c.URL, Hashes: hashes(c.SHA256),
		})
		urls = append(urls, c.URL)
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: subject, Dependencies: &urls}}
	var written bytes.Buffer
	if err := cyclonedx.NewBOMEncoder(&written, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom); err != nil {
		return nil, fmt.Errorf("cannot write the CycloneDX document of %s: %w", s.Name, err)
	}
	return written.Bytes(), nil
}

func hashes(sha256 string) *[]cyclonedx.Hash {
	if sha256 == "" {
		return nil
	}
	return &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: sha256}}
}
