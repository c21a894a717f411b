package step

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/secret"
)

// Values are a step's fields as plain data: string, bool, int64, float64,
// secret.String, []any or map[string]any of those. A missing or nil value
// takes the default.
type Values map[string]any

// FieldError says which field is wrong and why.
type FieldError struct {
	Field string
	Err   error
}

// Error is "field: cause".
func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap gives the cause.
func (e *FieldError) Unwrap() error { return e.Err }

// Decode fills s, which New of the schema's kind made, and reports every wrong
// field at once. It does not look for unknown names: whoever knows the source
// line does that.
func (s Schema) Decode(values Values, into Step) []*FieldError {
	var wrong []*FieldError
	target := reflect.ValueOf(into).Elem()
	for _, f := range s.Fields {
		v, given := values[f.Name]
		if !given || v == nil {
			if f.Required {
				wrong = append(wrong, &FieldError{f.Name, fmt.Errorf("is required")})
				continue
			}
			if f.Default == "" {
				continue
			}
			v = f.Default
		}
		if err := f.set(target.FieldByIndex(f.index), v); err != nil {
			wrong = append(wrong, &FieldError{f.Name, err})
		}
	}
	return wrong
}

// Valid tells whether a value would decode into the field.
func (f Field) Valid(v any) error {
	for t, typ := range inputTypes {
		if typ == f.Type {
			return f.set(reflect.New(t).Elem(), v)
		}
	}
	return fmt.Errorf("has unknown type %q", f.Type)
}

func (f Field) set(target reflect.Value, v any) error {
	value, err := f.convert(v)
	if err != nil {
		return err
	}
	if text, ok := value.(string); ok && len(f.Enum) > 0 && !slices.Contains(f.Enum, text) {
		return fmt.Errorf("is %q, want one of %s", text, strings.Join(f.Enum, ", "))
	}
	rv := reflect.ValueOf(value)
	if target.CanInt() && rv.CanInt() {
		target.SetInt(rv.Int())
		return nil
	}
	target.Set(rv)
	return nil
}

func (f Field) convert(v any) (any, error) {
	if s, ok := v.(secret.String); ok && f.Type != TypeSecret && f.Type != TypeDSN {
		_ = s
		return nil, fmt.Errorf("holds a secret, and the field is not for secrets")
	}
	switch f.Type {
	case TypeString:
		return as[string](v, "a string")
	case TypeBool:
		if text, ok := v.(string); ok {
			return strconv.ParseBool(text)
		}
		return as[bool](v, "true or false")
	case TypeInt:
		return asInt(v)
	case TypeFloat:
		return asFloat(v)
	case TypeDuration:
		return asParsed(v, "a duration like \"90s\" or \"4h30m\"", ParseDuration)
	case TypeSize:
		return asParsed(v, "a size like \"64MB\" or \"2GiB\"", ParseSize)
	case TypeSecret:
		return asSecret(v)
	case TypeDSN:
		s, err := asSecret(v)
		return secret.NewDSN(s.Reveal()), err
	case TypeList:
		return asList(v)
	case TypeMap:
		return asMap(v, func(v any) (string, error) { return as[string](v, "a string") })
	case TypeSecretMap:
		return asMap(v, asMaybeSecret)
	}
	return nil, fmt.Errorf("has unknown type %q", f.Type)
}

func as[T any](v any, want string) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("is %s, want %s", describe(v), want)
	}
	return t, nil
}

func asInt(v any) (int64, error) {
	switch n := v.(type) {
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	case float64:
		if n == float64(int64(n)) {
			return int64(n), nil
		}
	case string:
		if i, err := strconv.ParseInt(n, 10, 64); err == nil {
			return i, nil
		}
	}
	return 0, fmt.Errorf("is %s, want a whole number", describe(v))
}

func asFloat(v any) (float64, error) {
	switch n := v.(type) {
	case int64:
		return float64(n), nil
	case float64:
		return n, nil
	case string:
		if x, err := strconv.ParseFloat(n, 64); err == nil {
			return x, nil
		}
	}
	return 0, fmt.Errorf("is %s, want a number", describe(v))
}

func asParsed[T any](v any, want string, parse func(string) (T, error)) (T, error) {
	text, err := as[string](v, want)
	if err != nil {
		var zero T
		return zero, err
	}
	return parse(text)
}

// asSecret reads what a secret field may hold: a secret value, or a text,
// where "env:NAME" and "@FILE" point to it.
func asSecret(v any) (secret.String, error) {
	if s, ok := v.(secret.String); ok {
		return s, nil
	}
	text, err := as[string](v, "a string")
	if err != nil {
		return secret.String{}, err
	}
	return ReadSecret(text)
}

// asMaybeSecret is asSecret where a plain text is no secret.
func asMaybeSecret(v any) (secret.String, error) {
	if text, ok := v.(string); ok && !strings.HasPrefix(text, "env:") && !strings.HasPrefix(text, "@") {
		return secret.Open(text), nil
	}
	return asSecret(v)
}

// ReadSecret resolves "env:NAME" and "@FILE"; any other text is itself.
func ReadSecret(text string) (secret.String, error) {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		value, set := os.LookupEnv(name)
		if !set {
			return secret.String{}, fmt.Errorf("environment variable %q is not set: export %s=…", name, name)
		}
		return secret.New(value), nil
	}
	if file, ok := strings.CutPrefix(text, "@"); ok {
		content, err := os.ReadFile(file)
		if err != nil {
			return secret.String{}, fmt.Errorf("read secret: %w", err)
		}
		return secret.New(strings.TrimRight(string(content), "\r\n")), nil
	}
	return secret.New(text), nil
}

func asList(v any) ([]string, error) {
	if text, ok := v.(string); ok { // a default
		return strings.Split(text, ","), nil
	}
	items, err := as[[]any](v, "a list of strings")
	if err != nil {
		return nil, err
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], err = as[string](item, "a string"); err != nil {
			return nil, fmt.Errorf("[%d] %w", i, err)
		}
	}
	return list, nil
}

func asMap[T any](v any, item func(any) (T, error)) (map[string]T, error) {
	entries, err := as[map[string]any](v, "a map")
	if err != nil {
		return nil, err
	}
	m := make(map[string]T, len(entries))
	for key, value := range entries {
		if m[key], err = item(value); err != nil {
			return nil, fmt.Errorf("[%q] %w", key, err)
		}
	}
	return m, nil
}

func describe(v any) string {
	switch t := v.(type) {
	case nil:
		return "null"
	case string:
		return fmt.Sprintf("the string %q", t)
	case bool:
		return strconv.FormatBool(t)
	case int64, float64, int:
		return fmt.Sprintf("the number %v", t)
	case secret.String:
		return "a secret"
	case []any:
		return "a list"
	case map[string]any:
		return "a map"
	}
	return fmt.Sprintf("a %T", v)
}

// ParseDuration reads "90s", "4h30m", "2d": Go's form with d for days, never
// negative.
func ParseDuration(text string) (time.Duration, error) {
	rest, days := text, time.Duration(0)
	if n, after, ok := strings.Cut(text, "d"); ok {
		if i, err := strconv.ParseUint(n, 10, 16); err == nil {
			days, rest = time.Duration(i)*24*time.Hour, after
		}
	}
	if rest == "" && days > 0 {
		return days, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("is %q, want a duration like \"90s\", \"4h30m\" or \"2d\"", text)
	}
	return days + d, nil
}

// ParseSize reads "512", "64kB", "64MB", "2GiB".
func ParseSize(text string) (Size, error) {
	i := strings.IndexFunc(text, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	number, unit := text, ""
	if i >= 0 {
		number, unit = text[:i], strings.TrimSpace(text[i:])
	}
	n, err := strconv.ParseFloat(number, 64)
	factor, ok := sizeUnits[strings.ToLower(unit)]
	if err != nil || !ok || n*factor >= 1<<63 {
		return 0, fmt.Errorf("is %q, want a size like \"64MB\" or \"2GiB\"", text)
	}
	return Size(n * factor), nil
}

var sizeUnits = map[string]float64{
	"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
	"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
}
