#!/usr/bin/env perl
# Standard input: the task's data as JSON. Standard output: the answer over CGI. Standard error: the task's log.
use strict;
use warnings;
use JSON::PP;

my $data = decode_json(do { local $/; <STDIN> });
if (ref $data ne 'HASH' || !defined $data->{text}) {
    print "Status: 400 Bad Request\nContent-Type: text/plain\n\nthe data must be an object with a text";
    exit 0;
}

my @lengths = map { length } split /\n/, $data->{text};
printf STDERR "%d lines\n", scalar @lengths;
my $longest = 0;
for my $length (@lengths) { $longest = $length if $length > $longest }

print "Content-Type: application/json\n\n";
print encode_json({ lines => scalar(@lengths), longest => $longest });
