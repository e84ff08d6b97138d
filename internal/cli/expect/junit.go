package expect

import (
	"encoding/xml"
	"fmt"
	"io"
)

// suite, test and failure are the commonly supported elements of the JUnit format.
type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Cases    []test   `xml:"testcase"`
}

type test struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	Failure *failure `xml:"failure,omitempty"`
}

type failure struct {
	Message string `xml:"message,attr"`
}

// Failed counts the failed results.
func Failed(results []Result) int {
	n := 0
	for _, r := range results {
		if r.Failure != "" {
			n++
		}
	}
	return n
}

// JUnit writes results as JUnit XML.
func JUnit(w io.Writer, results []Result) error {
	s := suite{Name: "policies", Tests: len(results), Failures: Failed(results)}
	for _, r := range results {
		one := test{Name: r.Case.Name(), Class: "policies"}
		if r.Failure != "" {
			one.Failure = &failure{Message: r.Failure}
		}
		s.Cases = append(s.Cases, one)
	}
	text, err := xml.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}
