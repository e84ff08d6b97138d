package manifests

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Decode reads YAML documents or JSON. It flattens lists, and rejects documents without a kind.
func Decode(text []byte) ([]*unstructured.Unstructured, error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	var all []*unstructured.Unstructured
	for {
		u := &unstructured.Unstructured{}
		err := decoder.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, explainDecoding(err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetKind() == "" || u.GetAPIVersion() == "" {
			return nil, errors.New("a document has no apiVersion or no kind")
		}
		if !u.IsList() {
			all = append(all, u)
			continue
		}
		err = u.EachListItem(func(item runtime.Object) error {
			if one, ok := item.(*unstructured.Unstructured); ok {
				all = append(all, one)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
}

// explainDecoding removes Go types and conversions from an error.
func explainDecoding(err error) error {
	if strings.Contains(err.Error(), "cannot unmarshal") {
		return errors.New("a document is not an object with apiVersion and kind")
	}
	if problem, found := strings.CutPrefix(err.Error(), "error converting YAML to JSON: "); found {
		return errors.New(problem)
	}
	return err
}

// Files returns the YAML and JSON files of the paths, sorted. Directories are searched recursively.
func Files(paths ...string) ([]string, error) {
	var files []string
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			extension := filepath.Ext(file)
			if !entry.IsDir() && (file == path || slices.Contains([]string{".yaml", ".yml", ".json"}, extension)) {
				files = append(files, file)
			}
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s not found: check the path of the file or directory", path)
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(files)
	return slices.Compact(files), nil
}

// Read reads all objects of files. It skips kustomization files.
func Read(files []string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for _, file := range files {
		if name := filepath.Base(file); name == "kustomization.yaml" || name == "kustomization.yml" {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := Decode(text)
		if err != nil {
			return nil, fmt.Errorf("%s is not a Kubernetes manifest: %w: correct the file, or leave it out", file, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}
