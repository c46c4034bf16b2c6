package workflow

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// result is what becomes of the response of a call.
type result struct {
	// form is content, response or raw.
	form     string
	redirect bool
}

// of makes a call and returns its output.
func (t result) of(r *run, call func(context.Context, Caller) (*HTTPResponse, error)) (any, flow, error) {
	caller, err := r.caller()
	if err != nil {
		return nil, flow{}, err
	}
	response, err := call(r.ctx, caller)
	if err != nil {
		return nil, flow{}, r.called(err, CommunicationError)
	}
	if response.Scheme != "" {
		if err := r.authorized(response.Scheme, response.Parameter); err != nil {
			return nil, flow{}, err
		}
	}
	most := 299
	if t.redirect {
		most = 399
	}
	if response.Status < 200 || response.Status > most {
		e := NewError(CommunicationError, nil, "the service that the task calls answered with status %d", response.Status)
		e.Status = response.Status
		return nil, flow{}, e
	}
	// Decoding is not interrupted: what it makes is counted before.
	held := r.held
	if err := r.hold(decodedBytes(response.Body)); err != nil {
		return nil, flow{}, err
	}
	output, err := t.output(response)
	if err != nil {
		return nil, flow{}, err
	}
	r.keep(held)
	output, err = r.received(output)
	return output, flow{}, err
}

// decodedBytes is about how much memory a body takes once it is read: as JSON, or else as
// a text or in base64.
func decodedBytes(body []byte) int64 {
	total, inText := int64(2*len(body)), false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inText = !inText
			total += headerBytes / 2
		case c == '\\':
			i++ // it stands in texts only
		case inText:
		case c == '{':
			total += mapBytes + groupBytes
		case c == ':':
			total += fieldBytes / 2
		case c == '[':
			total += headerBytes
		case c == ',':
			total += slotBytes + 8
		}
	}
	return total
}

func (t result) output(response *HTTPResponse) (any, error) {
	if t.form == "raw" {
		if len(response.Body) == 0 {
			return nil, nil
		}
		return base64.StdEncoding.EncodeToString(response.Body), nil
	}
	content, err := content(response)
	if err != nil || t.form == "content" {
		return content, err
	}
	return map[string]any{
		"request":    map[string]any{"method": response.Method, "uri": response.URL, "headers": object(response.RequestHeader)},
		"statusCode": response.Status,
		"headers":    object(response.Header),
		"content":    content,
	}, nil
}

func object(texts map[string]string) map[string]any {
	out := make(map[string]any, len(texts))
	for name, text := range texts {
		out[name] = text
	}
	return out
}

// content is the body of a response: JSON as a value, text as a string, anything else
// in base64, and null when there is none.
func content(response *HTTPResponse) (any, error) {
	if len(response.Body) == 0 {
		return nil, nil
	}
	media, _, _ := strings.Cut(response.Header["Content-Type"], ";")
	media = strings.ToLower(strings.TrimSpace(media))
	switch {
	case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
		value, err := decodeJSON(response.Body)
		if err != nil {
			return nil, NewError(CommunicationError, err, "the service that the task calls answered with a body that is not the JSON its Content-Type says")
		}
		return value, nil
	case strings.HasPrefix(media, "text/"), media == "application/xml", strings.HasSuffix(media, "+xml"), media == "application/yaml":
		if utf8.Valid(response.Body) {
			return string(response.Body), nil
		}
	}
	return base64.StdEncoding.EncodeToString(response.Body), nil
}

// decodeJSON reads one JSON value, with numbers as jq holds them.
func decodeJSON(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the value")
	}
	return numbers(value), nil
}
