// Package message limits the texts of conditions and Events, which the API server rejects when they are too long.
//
// In flows text with parts that others wrote, such as answers of webhooks; out flows the same text or its beginning. A Recorder does so for
// every Event. Long lists become their first words and a number.
package message
